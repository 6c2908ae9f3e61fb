"""`xumi routes`: who may call what."""

import json
import sqlite3
from pathlib import Path

from tests.cli.conftest import Xumi


def test_routes_of_kernel_library_and_project_are_listed(xumi_process: Xumi, project: Path) -> None:
    result = xumi_process("routes")
    assert result.code == 0, result.err
    rows = [line.split() for line in result.out.splitlines()]
    assert rows[0] == ["METHOD", "PATH", "PERMISSION", "MODULE"]
    assert ["GET", "/health", "public", "kernel"] in rows
    assert ["GET", "/api/v1/greeter/greetings", "public", "greeter"] in rows
    assert ["POST", "/auth/login", "public", "account"] in rows
    assert all(len(row) == 4 for row in rows)


def test_json_for_programs(xumi: Xumi) -> None:
    routes = json.loads(xumi("routes", "--json").out)
    assert {"method": "GET", "path": "/health", "permission": "public", "module": "kernel"} in routes
    protected = next(
        route for route in routes if route["path"] == "/api/v1/users" and route["method"] == "GET"
    )
    assert ":" in protected["permission"]


def test_a_route_without_access_refuses(xumi_process: Xumi, project: Path) -> None:
    api = project / "modules" / "greeter" / "api.py"
    api.write_text(api.read_text().replace(", public=True", ""))
    result = xumi_process("routes")
    assert result.code == 2
    assert "/api/v1/greeter/greetings" in result.err
    assert "Traceback" not in result.err


def test_how_each_route_runs(xumi: Xumi) -> None:
    routes = json.loads(xumi("routes", "--compiled", "--json").out)
    runs = {route["path"]: route["runs"] for route in routes}
    assert runs["/api/v1/users"] == "compiled"
    assert runs["/docs"] == "FastAPI: a response class of its own"


def test_who_may_call_what(xumi_process: Xumi, project: Path) -> None:
    def audit() -> tuple[dict[str, list[str]], str]:
        result = xumi_process("routes", "--audit", "--json")
        assert result.code == 0, result.err
        return {f"{row['method']} {row['path']}": row["roles"] for row in json.loads(result.out)}, result.err

    by_grants, said = audit()
    assert "modules' grants" in said
    assert xumi_process("init-db").code == 0
    by_database, said = audit()
    assert said == ""
    assert by_database == by_grants
    for label, expected in (
        ("GET /api/v1/users", ["admin"]),
        ("GET /poster/list", ["admin", "user"]),
        ("POST /auth/login", ["admin", "user"]),
    ):
        assert by_database[label] == expected, label
    taken = "DELETE FROM access_role_permission WHERE permission = 'poster:list'"
    with sqlite3.connect(project / "data" / "xumi.db") as database:
        database.execute(taken)
    assert audit()[0]["GET /poster/list"] == ["admin"]
    table = [line.split() for line in xumi_process("routes", "--audit").out.splitlines()]
    assert table[0] == ["METHOD", "PATH", "PERMISSION", "MODULE", "@admin", "@user"]
    assert ["GET", "/poster/list", "poster:list", "poster", "yes", "-"] in table

"""`xumi routes`: who may call what."""

import json
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

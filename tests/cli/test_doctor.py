"""`xumi doctor`: each fault is found, and the way to mend it told."""

import asyncio
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.conftest import Xumi
from xumi.cli import doctor
from xumi.kernel.config import Settings
from xumi.kernel.testing.postgres import PostgresServer


class Usage(NamedTuple):
    free: int


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def test_a_sound_installation_passes(xumi: Xumi) -> None:
    assert xumi("db", "upgrade").code == 0
    result = xumi("doctor", PORT=free_port())
    assert result.code == 0, result.out + result.err
    checks = [line.split()[1].rstrip(":") for line in result.out.splitlines()]
    assert checks == [
        "configuration",
        "secrets",
        "secrets",
        "features",
        "database",
        "migrations",
        "port",
        "disk",
    ]
    assert "FAILURE" not in result.out


def test_a_configuration_that_cannot_be_used_fails(xumi: Xumi) -> None:
    result = xumi("doctor", APP_ENV="production")
    assert result.code == 1
    assert "FAILURE configuration: The configuration is not fit for production" in result.out
    assert "SECRET_KEY is not set: set it to random text" in result.out


def test_weak_secrets_are_a_warning_in_development(xumi: Xumi) -> None:
    result = xumi("doctor", SECRET_KEY="your-secret-key-here", PORT=free_port())
    assert "warning secrets: SECRET_KEY is a publicly known default" in result.out
    assert "→ fine for development" in result.out
    assert "your-secret-key-here" not in result.out


def test_missing_migrations_fail_and_name_the_command(xumi: Xumi) -> None:
    result = xumi("doctor", PORT=free_port())
    assert result.code == 1
    assert "FAILURE migrations" in result.out
    assert "→ run `xumi db upgrade`" in result.out


def test_a_database_that_is_away_fails_without_its_password(xumi: Xumi) -> None:
    result = xumi("doctor", DATABASE_URL="postgresql://nobody:hunter2@127.0.0.1:1/none", PORT=free_port())
    assert result.code == 1
    assert "FAILURE database: " in result.out
    assert "does not answer" in result.out
    assert "hunter2" not in result.out + result.err


def test_a_replica_is_checked(xumi: Xumi, tmp_path: Path) -> None:
    assert xumi("db", "upgrade").code == 0
    (tmp_path / "replica.db").touch()
    replica = f"sqlite:///{tmp_path / 'replica.db'}"
    found = xumi("doctor", DATABASE_READ_URL=replica, PORT=free_port())
    assert "ok      replica: DATABASE_READ_URL answers" in found.out
    other = xumi("doctor", DATABASE_READ_URL="postgresql://u:hunter2@127.0.0.1:1/d", PORT=free_port())
    assert other.code == 1
    assert "a replica is of the same kind" in other.out
    assert "hunter2" not in other.out + other.err


def test_a_replica_that_is_away_fails(postgresql: PostgresServer) -> None:
    settings = Settings(database_url=postgresql.url, database_read_url="postgresql://127.0.0.1:1/gone")
    found = {finding.check: finding for finding in asyncio.run(doctor.check_database(settings))}
    assert found["database"].state == "ok"
    assert found["replica"].state == "failure"
    assert "correct DATABASE_READ_URL" in found["replica"].mend


def test_a_malformed_database_url_fails(xumi: Xumi) -> None:
    result = xumi("doctor", DATABASE_URL="oracle://x", PORT=free_port())
    assert result.code == 1
    assert "DATABASE_URL must be like" in result.out
    assert "Traceback" not in result.err


def test_a_broken_feature_fails_and_the_rest_is_checked(xumi_process: Xumi, project: Path) -> None:
    (project / "modules" / "greeter" / "api.py").write_text("import nowhere\n")
    result = xumi_process("doctor", PORT=free_port())
    assert result.code == 1
    assert "FAILURE features: " in result.out
    assert "greeter/api.py" in result.out
    assert "disk:" in result.out


def test_a_route_that_cannot_be_answered_fails(project: Path, xumi_process: Xumi) -> None:
    with (project / "modules" / "greeter" / "api.py").open("a") as api:
        api.write(
            "class Unknown: ...\n"
            "@router.post('/wrong', public=True)\n"
            "async def take(given: list[Unknown]) -> None: ...\n"
        )
    result = xumi_process("doctor", PORT=free_port())
    assert result.code == 1
    assert "FAILURE features: POST /api/v1/greeter/wrong of greeter: " in result.out


def test_a_port_in_use_fails(xumi: Xumi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = xumi("doctor", PORT=str(taken.getsockname()[1]))
    assert result.code == 1
    assert "FAILURE port: " in result.out
    assert "--port" in result.out


@pytest.mark.parametrize(("header", "state"), [("X-Request-ID", "ok"), ("X-Other", "failure")])
def test_a_server_of_ours_that_runs_already_is_no_fault(header: str, state: str) -> None:
    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header(header, "1")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        finding = doctor.check_port(Settings(port=server.server_port))
        server.shutdown()
        thread.join()
    assert finding.state == state


@pytest.mark.parametrize(
    ("free", "state"), [(10 * 1024**3, "ok"), (500 * 1024**2, "warning"), (50 * 1024**2, "failure")]
)
def test_a_full_disk_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, state: str) -> None:
    def usage(path: Any) -> Usage:
        return Usage(free)

    monkeypatch.setattr(doctor.shutil, "disk_usage", usage)
    finding = doctor.check_disk(tmp_path)
    assert finding.state == state
    assert bool(finding.mend) == (state != "ok")

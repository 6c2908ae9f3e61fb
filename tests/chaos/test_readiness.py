"""The database goes away and comes back; the server notices, says so, and heals without a restart."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from xumi.kernel.testing.postgres import PostgresServer
from xumi.kernel.testing.server import RunningServer, run_server

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test's own, which it may kill."""
    server = PostgresServer()
    server.start()
    yield server
    server.stop()


def wait_for(server: RunningServer, status: int, seconds: float) -> float:
    """Ask `/readiness` until it answers with this status; the seconds that it took."""
    started = time.monotonic()
    while True:
        if httpx.get(f"{server.url}/readiness", timeout=5).status_code == status:
            return time.monotonic() - started
        assert time.monotonic() - started < seconds, f"no {status} within {seconds} s"
        time.sleep(0.1)


def test_readiness_follows_postgresql_within_three_seconds(tmp_path: Path, postgres: PostgresServer) -> None:
    url = postgres.create_database("readiness")
    with run_server(tmp_path, environment={"DATABASE_URL": url}) as server:
        wait_for(server, 200, 10)
        postgres.kill()
        wait_for(server, 503, 3)
        away = httpx.get(f"{server.url}/readiness").json()
        assert [error["field"] for error in away["errors"]] == ["database", "migrations"]
        assert httpx.get(f"{server.url}/health").status_code == 200
        login = httpx.post(f"{server.url}/auth/login", json={"username": "a", "password": "b"}, timeout=10)
        assert (login.status_code, login.json()["code"]) == (503, 50301)
        assert "Retry-After" in login.headers
        assert "Traceback" not in login.text
        postgres.start()
        wait_for(server, 200, 10)
        login = httpx.post(f"{server.url}/auth/login", json={"username": "a", "password": "b"}, timeout=10)
        assert (login.status_code, login.json()["code"]) == (401, 40103)

"""Several workers behave as one server."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from xumi.kernel.testing.server import RunningServer, run_server

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """Two workers; a client may call ten times in an hour."""
    with run_server(tmp_path, "--workers", "2", environment={"RATE_LIMIT_DEFAULT": "10/hour"}) as running:
        yield running


def statuses(server: RunningServer, path: str, count: int) -> list[int]:
    """One connection for each call, so that both workers answer."""
    return [httpx.get(server.url + path).status_code for _ in range(count)]


def workers(server: RunningServer) -> set[int]:
    """The processes that answer."""
    return {httpx.get(f"{server.url}/monitoring/metrics").json()["data"]["process"]["pid"] for _ in range(12)}


def counted(server: RunningServer, route: str) -> float:
    """What `/metrics` says of a route."""
    pattern = re.compile(rf'^xumi_http_requests_total{{.*route="{re.escape(route)}".*}} (\S+)$', re.MULTILINE)
    return sum(float(value) for value in pattern.findall(httpx.get(f"{server.url}/metrics").text))


def test_the_rate_limit_is_one_for_both_workers(server: RunningServer) -> None:
    assert sorted(statuses(server, "/openapi.json", 30)) == [200] * 10 + [429] * 20


def test_metrics_add_up_and_survive_the_death_of_a_worker(server: RunningServer) -> None:
    before = counted(server, "/health")
    assert statuses(server, "/health", 40) == [200] * 40
    assert counted(server, "/health") == before + 40
    children = [
        child.pid
        for child in psutil.Process(server.process.pid).children()
        if child.name() != "resource_tracker"
    ]
    victim = next(pid for pid in children if "spawn_main" in " ".join(psutil.Process(pid).cmdline()))
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while (
        psutil.pid_exists(victim)
        and psutil.Process(victim).status() != psutil.STATUS_ZOMBIE
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert counted(server, "/health") == before + 40
    text = httpx.get(f"{server.url}/metrics").text
    assert re.findall(r"^xumi_http_requests_in_flight (.*)$", text, re.MULTILINE) == ["1.0"]


def test_metrics_are_labelled_by_route_and_never_by_path(server: RunningServer) -> None:
    statuses(server, "/no-such-path-4711", 3)
    text = httpx.get(f"{server.url}/metrics").text
    assert 'route="unmatched"' in text
    assert "4711" not in text

"""The server as a process: it stops when it is told to, and loses nothing."""

import asyncio
import signal
import socket
from pathlib import Path

import httpx
import pytest

from xumi.kernel.testing.server import RunningServer, run_server

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


async def call_until_told_to_close(server: RunningServer, started: asyncio.Event) -> tuple[int, bool]:
    """Call over one connection until the server asks to close it; the number of answers, and whether one went missing."""
    answers = 0
    body = {"username": "nobody", "password": "wrong-password"}
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        while True:
            try:
                # A login takes tens of milliseconds of Argon2, so that requests are under way when the signal comes.
                response = await client.post("/auth/login", json=body)
            except httpx.ConnectError:
                return answers, False
            except httpx.HTTPError:
                return answers, True
            assert response.status_code in (401, 429), response.text
            answers += 1
            started.set()
            if response.headers.get("connection") == "close":
                return answers, False


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGTERM, 1), (signal.SIGTERM, 2), (signal.SIGINT, 1)]
)
async def test_a_stop_answers_every_request_that_was_sent(tmp_path: Path, number: int, workers: int) -> None:
    with run_server(
        tmp_path, "--workers", str(workers), environment={"RATE_LIMIT_ENABLED": "false"}
    ) as server:
        started = asyncio.Event()
        clients = [asyncio.create_task(call_until_told_to_close(server, started)) for _ in range(16)]
        await asyncio.wait_for(started.wait(), 20)
        code = await asyncio.to_thread(server.stop, number)
        results = await asyncio.gather(*clients)
        assert code == 0, server.output()
        assert sum(answers for answers, _ in results) >= 16
        assert [lost for _, lost in results] == [False] * 16
        assert "Traceback" not in server.output(), server.output()


def test_a_port_in_use_is_said_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError) as raised, run_server(tmp_path, "--port", str(port)):
            pass
    assert f"Cannot listen on 127.0.0.1:{port}" in str(raised.value)
    assert "Traceback" not in str(raised.value)


def test_the_first_administrators_password_is_shown_once(tmp_path: Path) -> None:
    with run_server(tmp_path) as server:
        first = server.output()
        assert server.stop() == 0
    with run_server(tmp_path) as server:
        second = server.output()
    assert first.count("password") == 1
    assert "password" not in second
    assert (tmp_path / "data" / "xumi.db").is_file()
    assert "/docs" in first

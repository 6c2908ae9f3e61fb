"""An answer that is written at once is, byte for byte, the one that uvicorn would have sent."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import pytest
import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xumi.kernel.config import Settings
from xumi.kernel.http import exchange, wire
from xumi.kernel.http.pipeline import Pipeline
from xumi.kernel.http.router import Router, RouteTable
from xumi.kernel.resources import Resources

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

PATIENCE_SECONDS, SILENCE_SECONDS = 20, 0.1
LARGE = 3_000_000
SMALL_BUFFER = 4096


class Thing(BaseModel):
    """A body."""

    name: str


def routes() -> Router:
    """Answers of every kind."""
    router = Router()

    @router.get("/text", public=True)
    async def get_text(times: int = 1) -> str:
        return "é" * times

    @router.post("/thing", public=True, status_code=201)
    async def add_thing(body: Thing) -> str:
        return body.name

    @router.get("/own", public=True)
    async def get_own(response: Response) -> str:
        response.headers["Cache-Control"] = "max-age=60"
        return "x"

    @router.delete("/thing", public=True, status_code=204)
    async def delete_thing() -> None:
        """Answers nothing."""

    @router.get("/fails", public=True)
    async def fail() -> str:
        raise RuntimeError

    return router


def in_pieces(app: ASGIApp) -> ASGIApp:
    """The application behind a middleware, so that its answers go in ASGI's messages."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        async def forward(message: Message) -> None:
            await send(message)

        await app(scope, receive, forward)

    return run


@asynccontextmanager
async def listening(app: ASGIApp, lifespan: Literal["on", "off"] = "on") -> AsyncIterator[int]:
    """The port at which uvicorn serves the application."""
    config = uvicorn.Config(
        app, lifespan=lifespan, http="httptools", ws="none", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server.serve([listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def both(tmp_path: Path, **settings: Any) -> AsyncIterator[tuple[int, int]]:
    """The ports of one application: with answers at once, and in pieces."""
    values: dict[str, Any] = {
        "app_env": "test",
        "database_url": f"sqlite:///{tmp_path}/test.db",
        "worker_enabled": False,
        "cors_origins": ["https://shop.example"],
        **settings,
    }
    app = Pipeline(Resources(Settings(**values)), RouteTable(routes().routes), FastAPI())
    # The first server opens and closes the resources.
    async with listening(app) as at_once, listening(in_pieces(app), lifespan="off") as other:
        yield at_once, other


async def ask(port: int, request: bytes) -> bytes:
    """What comes back until the server closes, or is silent for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    received = await asyncio.wait_for(reader.read(65536), PATIENCE_SECONDS)
    with suppress(TimeoutError):
        while piece := await asyncio.wait_for(reader.read(65536), SILENCE_SECONDS):
            received += piece
    writer.close()
    return received


def settled(answer: bytes) -> bytes:
    """Without what differs from one moment to the next, and with the headers in order: theirs says nothing."""
    answer = re.sub(rb"(?m)^(date|x-request-id|x-response-time|retry-after): [^\r]*", rb"\1: some", answer)
    answer = re.sub(rb'"request_id":"[^"]*"', b'"request_id":"some"', answer)
    head, separator, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    return b"\r\n".join([status, *sorted(lines)]) + separator + body


POST = b"POST /thing HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 14\r\n"
BODY = b'{"name": "xy"}'
REQUESTS = {
    "text": (b"GET /text HTTP/1.1\r\nHost: x\r\n\r\n", True),
    "body": (POST + b"\r\n" + BODY, True),
    "body asked for": (POST + b"Expect: 100-continue\r\n\r\n" + BODY, True),
    "foreign origin": (b"GET /text HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n\r\n", False),
    "own origin": (b"GET /text HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\n\r\n", False),
    "head": (b"HEAD /text HTTP/1.1\r\nHost: x\r\n\r\n", False),
    "close": (b"GET /text HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", False),
    "old": (b"GET /text HTTP/1.0\r\nHost: x\r\n\r\n", False),
    "own header": (b"GET /own HTTP/1.1\r\nHost: x\r\n\r\n", False),
    "nothing": (b"DELETE /thing HTTP/1.1\r\nHost: x\r\n\r\n", False),
    "unknown": (b"GET /unknown HTTP/1.1\r\nHost: x\r\n\r\n", False),
    "invalid": (b"GET /text?times=x HTTP/1.1\r\nHost: x\r\n\r\n", False),
    "fault": (b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n", False),
}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each whole answer was written at once."""
    found: list[bool] = []
    write = wire.Wire.write

    def look(send: Send) -> Any:
        found.append(False)
        return wire.find_connection(send)

    def note(self: wire.Wire, *answer: Any) -> None:
        found[-1] = True
        write(self, *answer)

    monkeypatch.setattr(exchange, "find_connection", look)
    monkeypatch.setattr(wire.Wire, "write", note)
    return found


@pytest.mark.parametrize("name", REQUESTS)
async def test_both_ways_give_the_same_bytes(name: str, tmp_path: Path, written: list[bool]) -> None:
    request, is_at_once = REQUESTS[name]
    async with both(tmp_path) as (at_once, in_pieces):
        found = await ask(at_once, request)
        assert (True in written) == is_at_once
        written.clear()
        assert settled(found) == settled(await ask(in_pieces, request))
        assert True not in written
    assert b"HTTP/1.1 " in found


async def test_in_production_too(tmp_path: Path) -> None:
    request = REQUESTS["text"][0]
    production = {"app_env": "production", "docs_enabled": False, "jwt_secret_key": "k1:" + "aB3$" * 16}
    async with both(tmp_path, **production) as (at_once, in_pieces):
        found = await ask(at_once, request)
        assert settled(found) == settled(await ask(in_pieces, request))
    assert b"strict-transport-security" in found


async def test_requests_in_a_row_are_answered_in_their_order(tmp_path: Path, written: list[bool]) -> None:
    requests = b"".join(b"GET /text?times=%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(1, 40))
    async with both(tmp_path) as (at_once, _):
        found = await ask(at_once, requests)
    assert [len(text) // 2 for text in re.findall(rb'"data":"([^"]*)"', found)] == list(range(1, 40))
    assert written == [True] * 39


async def test_a_client_that_does_not_read_does_not_fill_the_memory(
    tmp_path: Path, written: list[bool]
) -> None:
    """uvicorn's flow control holds: what comes behind a full buffer waits."""
    async with both(tmp_path) as (at_once, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", at_once, limit=SMALL_BUFFER)
        request = b"GET /text?times=%d HTTP/1.1\r\nHost: x\r\n\r\n" % (LARGE // 2)
        writer.write(request * 5)
        await asyncio.sleep(0.5)
        assert len(written) < 5
        received = 0
        while received < 5 * LARGE:
            received += len(await asyncio.wait_for(reader.read(1 << 20), 5))
        assert False in written
        writer.close()

"""AUTHZ_URL: a real HTTP server decides; where it does not answer as it should, nobody is let in."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.conftest import make_settings
from xumi.kernel import clock
from xumi.kernel.auth import decision
from xumi.kernel.auth.decision import DecisionPoint
from xumi.kernel.config import Settings
from xumi.kernel.errors import APIException
from xumi.kernel.http.pipeline import Pipeline
from xumi.kernel.http.router import Router, RouteTable
from xumi.kernel.ids import generate_key
from xumi.kernel.log import capture
from xumi.kernel.resources import Resources
from xumi.kernel.testing.client import running
from xumi.kernel.testing.fault_proxy import FaultProxy

pytestmark = pytest.mark.anyio

TOKEN = "the token of the decision point"


class Decider:
    """A decision point on a port of this machine.

    Attributes:
        asked: the bodies of the questions, in order.
        headers: the headers of the last one.
        status, body: what it answers.
        drop: how many questions it answers by closing the connection.
        release: it answers once this is set.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.status, self.body = 200, b'{"allow": true}'
        self.drop = 0
        self.release = threading.Event()
        self.release.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                question = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append(json.loads(question))
                outer.headers = dict(self.headers)
                outer.release.wait(10)
                if outer.drop > 0:
                    outer.drop -= 1
                    self.close_connection = True
                    return
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.body)))
                if outer.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port


@pytest.fixture
def decider() -> Iterator[Decider]:
    made = Decider()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.release.set()
        made.server.shutdown()
        thread.join()
        made.server.server_close()


def settings(port: int, **values: object) -> Settings:
    url = f"http://127.0.0.1:{port}/decide"
    known = {"authz_url": url, "authz_token": TOKEN, "authz_timeout_seconds": 20}
    return make_settings("sqlite://", **(known | values))


@asynccontextmanager
async def serve(port: int, **values: object) -> AsyncIterator[httpx.AsyncClient]:
    """Routes behind the decision point, for a caller who holds `thing:do` and not `thing:undo`."""
    router = Router()

    @router.get("/thing/{number}", permission="thing:do")
    async def do(number: int) -> int:
        return number

    @router.post("/undo", permission="thing:undo")
    async def undo() -> None: ...

    @router.get("/open", public=True)
    async def look() -> None: ...

    app = Pipeline(Resources(settings(port, **values)), RouteTable(router.routes), FastAPI())
    async with running(app):
        app.resources.access.replace_roles({"user": {"thing:do"}})
        token, _ = app.resources.tokens.issue_access("U" * 26, generate_key(), ("user",), 0)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            yield client


async def test_it_is_asked_about_what_the_roles_allow_and_remembered(decider: Decider) -> None:
    async with serve(decider.port) as client:
        assert (await client.post("/undo")).status_code == 403
        assert (await client.get("/open")).status_code == 200
        assert (await client.get("/thing/1", headers={"Authorization": "Bearer x"})).status_code == 401
        assert decider.asked == []
        with clock.travel() as journey:
            assert [(await client.get(f"/thing/{n}")).status_code for n in range(3)] == [200, 200, 200]
            question = {"subject": "U" * 26, "permission": "thing:do"}
            assert decider.asked == [{**question, "route": "/thing/{number}", "method": "GET"}]
            assert decider.headers["Authorization"] == f"Bearer {TOKEN}"
            decider.body = b'{"allow": false, "reason": "night"}'
            journey.move(seconds=4.9)
            assert (await client.get("/thing/1")).status_code == 200
            journey.move(seconds=0.2)
            refused = await client.get("/thing/1")
            assert (refused.status_code, refused.json()["code"]) == (403, 40300)
            assert (await client.get("/thing/1")).status_code == 403
            assert len(decider.asked) == 2


async def test_without_a_memory_it_is_asked_each_time(decider: Decider) -> None:
    async with serve(decider.port, authz_cache_seconds=0) as client:
        assert [(await client.get("/thing/1")).status_code for _ in range(3)] == [200] * 3
    assert len(decider.asked) == 3


async def test_many_requests_at_once_ask_once(decider: Decider) -> None:
    decider.release.clear()
    async with serve(decider.port) as client:
        calls = [asyncio.create_task(client.get(f"/thing/{n}")) for n in range(10)]
        while not decider.asked:
            await asyncio.sleep(0.01)
        # One whose client goes away does not take the answer from the others.
        calls[0].cancel()
        await asyncio.sleep(0.01)
        decider.release.set()
        answers = await asyncio.gather(*calls[1:])
        assert {answer.status_code for answer in answers} == {200}
    assert len(decider.asked) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"allow": true}'),
        (302, b'{"allow": true}'),
        (404, b""),
        (200, b""),
        (200, b"allow"),
        (200, b"{}"),
        (200, b'{"allow": "true"}'),
        (200, b'{"allow": 1}'),
        (200, b'{"allow": null}'),
        (200, b'[{"allow": true}]'),
        (200, b"[" * 100_000),
    ],
)
async def test_what_is_no_decision_lets_nobody_in(decider: Decider, status: int, body: bytes) -> None:
    decider.status, decider.body = status, body
    async with serve(decider.port) as client:
        refused = await client.get("/thing/1")
        assert (refused.status_code, refused.json()["code"]) == (503, 50305)
        assert refused.headers["Retry-After"] == "1"
        # A failure is not remembered.
        decider.status, decider.body = 200, b'{"allow": true}'
        assert (await client.get("/thing/1")).status_code == 200


async def until_allowed(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while (await client.get("/thing/1")).status_code != 200:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("fault", ["blackhole", "reset", "half_close"])
async def test_a_network_that_fails_lets_nobody_in_and_heals(decider: Decider, fault: str) -> None:
    with FaultProxy(decider.port) as proxy:
        async with serve(proxy.port, authz_cache_seconds=0, authz_timeout_seconds=0.5) as client:
            await until_allowed(client)
            getattr(proxy, fault)()
            with capture() as said:
                answers = await asyncio.gather(*(client.get("/thing/1") for _ in range(5)))
            assert {answer.status_code for answer in answers} == {503}
            assert TOKEN not in str(said)
            proxy.heal()
            await until_allowed(client)


async def test_a_connection_that_was_closed_is_tried_anew_once(decider: Decider) -> None:
    async with serve(decider.port, authz_cache_seconds=0) as client:
        for drop, status in ((0, 200), (1, 200), (2, 503), (0, 200)):
            decider.drop = drop
            assert (await client.get("/thing/1")).status_code == status
    assert len(decider.asked) == 1 + 2 + 2 + 1


async def test_a_service_that_is_not_there_lets_nobody_in() -> None:
    with FaultProxy(1) as proxy:
        port = proxy.port
    async with serve(port) as client:
        assert (await client.get("/thing/1")).status_code == 503
        assert (await client.get("/open")).status_code == 200


async def test_what_is_remembered_is_bounded(decider: Decider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision, "MAX_REMEMBERED", 3)
    point = DecisionPoint(settings(decider.port))
    await point.start()
    try:
        for number in (0, 1, 2, 0, 3, 4):
            await point.require(f"user-{number}", "thing:do", "/thing", "GET")
        assert len(decider.asked) == 5
        assert len(point._known) == 3
        decider.body = b'{"allow": false}'
        with pytest.raises(APIException):
            await point.require("user-1", "thing:do", "/thing", "GET")
    finally:
        await point.close()
        await point.close()


async def test_what_is_being_asked_ends_with_the_process(decider: Decider) -> None:
    decider.release.clear()
    point = DecisionPoint(settings(decider.port))
    await point.start()
    waiting = asyncio.create_task(point.require("U", "thing:do", "/thing", "GET"))
    while not decider.asked:
        await asyncio.sleep(0.01)
    await point.close()
    with pytest.raises((APIException, asyncio.CancelledError)):
        await waiting

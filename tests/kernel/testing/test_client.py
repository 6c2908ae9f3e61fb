"""The in-process client and its lifespan, on applications of a few lines."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from xumi.kernel.testing.client import open_client, running


async def show(request: Request) -> JSONResponse:
    assert request.client is not None
    return JSONResponse([request.client.host, request.headers.get("x-test"), request.app.state.phases])


async def fail(request: Request) -> JSONResponse:
    raise ValueError("a bug")


def make_app(phases: list[str], *, broken: bool = False) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.phases = phases
        phases.append("start")
        signal.signal(signal.SIGTERM, lambda *_: None)
        if broken:
            raise OSError("no disk")
        yield
        phases.append("stop")

    return Starlette(routes=[Route("/", show), Route("/fail", fail)], lifespan=lifespan)


async def test_an_application_starts_answers_and_stops() -> None:
    phases: list[str] = []
    app = make_app(phases)
    async with running(app), open_client(app, ip="192.0.2.7", headers={"x-test": "1"}) as client:
        assert (await client.get("/")).json() == ["192.0.2.7", "1", ["start"]]
        assert (await client.get("/fail")).status_code == 500
    assert phases == ["start", "stop"]


async def test_an_application_stops_when_the_test_fails() -> None:
    phases: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with running(make_app(phases)):
            raise ZeroDivisionError
    assert phases == ["start", "stop"]


async def test_the_handlers_of_this_process_are_left_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with running(make_app([])):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


async def test_a_refusal_to_start_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)startup failed.*no disk"):
        async with running(make_app([], broken=True)):
            pytest.fail("it did start")


async def test_an_application_without_a_lifespan_is_told() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        return

    with pytest.raises(RuntimeError, match="left its lifespan during startup"):
        async with running(app):
            pytest.fail("it did start")

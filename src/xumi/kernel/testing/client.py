"""HTTP tests against an application in this process: its whole lifespan and pipeline, no socket."""

import asyncio
import signal
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.types import ASGIApp

Message = MutableMapping[str, Any]


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[None]:
    """Start an ASGI application as a server does, and stop it at the end of the block.

    Raises:
        RuntimeError: the application refused to start, or failed to stop; with its message.
    """
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}

    async def pass_phase(name: str) -> None:
        await to_app.put({"type": f"lifespan.{name}"})
        answer = asyncio.ensure_future(from_app.get())
        await asyncio.wait({answer, task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            await task
            raise RuntimeError(f"the application left its lifespan during {name}")
        if answer.result()["type"] != f"lifespan.{name}.complete":
            raise RuntimeError(f"{name} failed: {answer.result().get('message', '')}")

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    task = asyncio.ensure_future(_call(app, scope, to_app, from_app))
    try:
        await pass_phase("startup")
        try:
            yield
        finally:
            await pass_phase("shutdown")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # An application may set handlers for the process that it believes to be its own.
        for number, handler in handlers.items():
            signal.signal(number, handler)


async def _call(
    app: ASGIApp, scope: Message, received: "asyncio.Queue[Message]", sent: "asyncio.Queue[Message]"
) -> None:
    await app(scope, received.get, sent.put)


@asynccontextmanager
async def open_client(
    app: ASGIApp, *, ip: str = "127.0.0.1", headers: dict[str, str] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that is already running; an error inside the application is a response, as for a server.

    Args:
        app: the application.
        ip: the address that the client seems to have.
        headers: sent with every request.
    """
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(ip, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client

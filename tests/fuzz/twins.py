"""The same routes twice: compiled, and on FastAPI's own path."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from tests.fuzz.declaration import Shapes
from tests.fuzz.recording import CALLS, Call
from tests.fuzz.requests import Sent
from xumi.kernel.config import Settings
from xumi.kernel.http.pipeline import Pipeline
from xumi.kernel.http.router import RouteTable
from xumi.kernel.log import capture
from xumi.kernel.resources import Resources

TOLD_APART = frozenset({b"x-response-time", b"date"})
"""Headers that differ from request to request; the id is sent along and comes back."""

HIDDEN_ERROR = ("Response not awaited.", "UnboundLocalError", "a dependency with yield has caught an error")


@dataclass
class Outcome:
    """All that can be seen of one request from outside and from inside.

    Attributes:
        raised: what left the application, after the response had begun or where none came.
        calls: what was called with what, in order.
        logged: level and message of each line.
        on_fastapi: whether FastAPI answered.
    """

    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    raised: str | None = None
    calls: list[Call] = field(default_factory=list)
    logged: list[Any] = field(default_factory=list)
    on_fastapi: bool = False

    def visible(self) -> dict[str, Any]:
        """What must be the same both ways."""
        return {name: value for name, value in vars(self).items() if name != "on_fastapi"}


class Twins:
    """Two applications made of the same shapes.

    Attributes:
        taken, left: how many requests to each route the closure has taken, and how many it has left to FastAPI.
    """

    def __init__(self, shapes: Shapes, directory: Path) -> None:
        self.shapes = shapes
        self.taken: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        table = RouteTable(shapes.router.routes)
        self.compiled, self.plain = (
            Pipeline(Resources(_settings(directory, compile_routes=compiled)), table, FastAPI())
            for compiled in (True, False)
        )

    async def start(self) -> None:
        """Start both."""
        self.compiled.check()
        await self.compiled.resources.start()
        await self.plain.resources.start()

    async def close(self) -> None:
        """Stop both."""
        await self.compiled.resources.close()
        await self.plain.resources.close()

    async def compare(self, sent: Sent) -> tuple[Outcome, Outcome]:
        """Send the request to both.

        Raises:
            AssertionError: they do not do the same.
        """
        compiled, plain = await _run(self.compiled, sent), await _run(self.plain, sent)
        route = next((line["route"] for line in compiled.logged if "route" in line), "unmatched")
        (self.left if compiled.on_fastapi else self.taken)[route] += 1
        for name, expected in plain.visible().items():
            assert getattr(compiled, name) == expected, f"{name} differs for {sent}"
        return compiled, plain


def _settings(directory: Path, *, compile_routes: bool) -> Settings:
    return Settings(
        app_env="test",
        database_url=f"sqlite:///{directory}/fuzz-{compile_routes}.db",
        compile_routes=compile_routes,
        worker_enabled=False,
        rate_limit_enabled=False,
        request_body_limit_bytes=200_000,
    )


async def _run(app: Pipeline, sent: Sent) -> Outcome:
    outcome = Outcome()
    scope, messages = sent.scope(), sent.messages()

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else await asyncio.Future()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert outcome.status is None, "the response began twice"
            outcome.status = message["status"]
            outcome.headers = [pair for pair in message["headers"] if pair[0] not in TOLD_APART]
        else:
            outcome.body += message.get("body", b"")

    CALLS.clear()
    with capture() as lines:
        try:
            await app(scope, receive, send)
        except Exception as error:
            outcome.raised = repr(error)
    outcome.calls = list(CALLS)
    outcome.logged = [_line(line) for line in lines]
    outcome.on_fastapi = "fastapi_inner_astack" in scope
    return outcome


def _line(line: dict[str, Any]) -> dict[str, Any]:
    told = {key: line.get(key) for key in ("level", "message", "route", "status", "error", "code", "reason")}
    # Where a dependency hides an error, FastAPI stumbles in two ways; the closure says what is wrong. Both are a logged 500.
    if any(sign in str(told["error"]) for sign in HIDDEN_ERROR):
        told["error"] = "hidden"
    return told

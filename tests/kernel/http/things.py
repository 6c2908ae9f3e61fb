"""Routes that have an effect, and what the tests of idempotency keys do with them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from sqlalchemy import text

from tests.conftest import make_settings
from xumi.kernel.db.session import Session
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.http.pipeline import Pipeline
from xumi.kernel.http.router import Router, RouteTable
from xumi.kernel.ids import generate_key
from xumi.kernel.resources import Resources
from xumi.kernel.schema import InputSchema

Start = Callable[..., Any]
OPTIONS: dict[str, Any] = {"permission": "thing:do", "idempotent": True}


class Thing(InputSchema):
    """What the route under test takes."""

    note: str


async def put(session: Any, note: str) -> None:
    """The effect."""
    await session.execute(text("INSERT INTO t_thing (note) VALUES (:note)"), {"note": note})


def sign_in(app: Pipeline, user: str) -> str:
    """An access token."""
    return app.resources.tokens.issue_access(user.ljust(26, "0"), generate_key(), ("user",), 0)[0]


async def count(client: Any, table: str = "t_thing") -> int:
    """How many effects there are."""
    async with client.app.resources.database.engine.connect() as connection:
        return int(await connection.scalar(text(f"SELECT count(*) FROM {table}")))


def things() -> Router:
    """Routes that put up a thing, each with an ending of its own."""
    router = Router()

    @router.post("/thing", status_code=201, **OPTIONS)
    async def add(session: Session, body: Thing, response: Response) -> dict[str, str]:
        await put(session, body.note)
        response.headers["Location"] = f"/thing/{body.note}"
        return {"made": generate_key()}

    @router.delete("/thing/{note}", status_code=204, **OPTIONS)
    async def drop(session: Session, note: str) -> None:
        await session.execute(text("DELETE FROM t_thing WHERE note = :note"), {"note": note})

    @router.post("/refused", **OPTIONS)
    async def refuse(session: Session, status: int = 409, returned: bool = False) -> Any:
        await put(session, generate_key())
        if returned:
            return JSONResponse({"why": generate_key()}, status)
        codes = {409: APICode.CONFLICT, 429: APICode.OVERLOADED, 503: APICode.UNAVAILABLE}
        raise APIException(codes[status], generate_key())

    @router.post("/bug", **OPTIONS)
    async def fail(session: Session, body: Thing) -> str:
        await put(session, body.note)
        raise ZeroDivisionError

    return router


async def call(client: Any, path: str, *messages: dict[str, Any]) -> list[Any]:
    """Send these pieces of a request with the key `k`, past any client; returns the pieces of the answer."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [
            (b"authorization", client.headers["Authorization"].encode()),
            (b"content-type", b"application/json"),
            (b"transfer-encoding", b"chunked"),
            (b"idempotency-key", b"k"),
        ],
    }
    remaining, sent = iter(messages), list[Any]()

    async def receive() -> Any:
        return next(remaining)

    async def send(message: Any) -> None:
        sent.append(message)

    await client.app(scope, receive, send)
    return sent


@asynccontextmanager
async def answer(database_url: str, router: Router, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The routes answer a caller who may do things."""
    app = Pipeline(Resources(make_settings(database_url, **settings)), RouteTable(router.routes), FastAPI())
    await app.resources.start()
    app.resources.access.replace_roles({"user": frozenset({"thing:do"})})
    async with app.resources.database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE IF NOT EXISTS t_thing (note VARCHAR(100) PRIMARY KEY)"))
    try:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {sign_in(app, 'somebody')}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            client.app = app  # type: ignore[attr-defined]
            yield client
    finally:
        await app.resources.close()

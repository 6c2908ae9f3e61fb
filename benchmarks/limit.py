"""(a) The limit: a bare ASGI function that runs the list's statements on the bare driver and encodes with msgspec.

No routing, no parameters, no identity, no log, no metrics: what is left is the cost of the server, the driver and the
encoder, which no framework on the same parts can go below. Reads DATABASE_URL (postgresql:// or sqlite:///).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import asyncpg
import msgspec

PAGE, SIZE, CONNECTIONS = 1, 20, 16
# What Xumi runs for this page.
SELECT_PAGE = """
    SELECT account_user.id, account_user.username, account_user.email,
        (SELECT string_agg(account_user_role.role, ',') FROM account_user_role
        WHERE account_user_role.user_id = account_user.id) AS roles,
        account_user.enabled, account_user.last_login_at, account_user.created_at, account_user.updated_at
    FROM account_user ORDER BY account_user.id DESC LIMIT 20 OFFSET 0
"""
SELECT_TOTAL = "SELECT count(*) FROM account_user"


class User(msgspec.Struct):
    id: str
    username: str
    email: str | None
    roles: list[str]
    enabled: bool
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Store(Protocol):
    async def fetch(self, counts: bool) -> tuple[list[User], int | None]:
        """The page and, if it `counts`, the number of all rows."""


class Postgres:
    """A stack of connections. asyncpg's own pool costs 60 µs a request more, for checks that a limit does without."""

    def __init__(self, connections: Sequence[asyncpg.Connection[asyncpg.Record]]) -> None:
        self._free = list(connections)
        self._places = asyncio.Semaphore(len(self._free))

    @classmethod
    async def open(cls, url: str) -> Postgres:
        return cls([await asyncpg.connect(url) for _ in range(CONNECTIONS)])

    async def fetch(self, counts: bool) -> tuple[list[User], int | None]:
        async with self._places:
            connection = self._free.pop()
            try:
                rows = await connection.fetch(SELECT_PAGE)
                total = await connection.fetchval(SELECT_TOTAL) if counts else None
            finally:
                self._free.append(connection)
        return [_user(*row) for row in rows], total


def _user(id: str, username: str, email: str | None, roles: str | None, *rest: Any) -> User:
    return User(id, username, email, sorted(roles.split(",")) if roles else [], *rest)


class Sqlite:
    """One connection used on the event loop: no thread is cheaper, and with one core there is nothing to overlap."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._page = SELECT_PAGE.replace("string_agg", "group_concat")

    @classmethod
    async def open(cls, url: str) -> Sqlite:
        path = url.removeprefix("sqlite:///")
        return cls(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None))

    async def fetch(self, counts: bool) -> tuple[list[User], int | None]:
        rows = self._connection.execute(self._page).fetchall()
        total = self._connection.execute(SELECT_TOTAL).fetchone()[0] if counts else None
        return [_user_of_sqlite(*row) for row in rows], total


def _user_of_sqlite(*row: Any) -> User:
    """SQLite has no boolean and no time: both come back as what they are stored as, a number and a text in UTC."""
    *first, enabled, last_login_at, created_at, updated_at = row
    last_login_at = last_login_at and _time(last_login_at + "Z")
    return _user(*first, enabled != 0, last_login_at, _time(created_at + "Z"), _time(updated_at + "Z"))


_time = datetime.fromisoformat
_encode = msgspec.json.Encoder().encode
_store: Store | None = None


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    assert _store is not None
    items, total = await _store.fetch(b"count=none" not in scope["query_string"])
    data = {"items": items, "page": PAGE, "size": SIZE, "total": total}
    body = _encode({"code": 200, "message": "success", "data": data})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    global _store
    url = os.environ["DATABASE_URL"]
    await receive()
    _store = await (Sqlite.open(url) if url.startswith("sqlite:") else Postgres.open(url))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

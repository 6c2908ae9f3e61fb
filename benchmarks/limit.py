"""The limit: a bare ASGI function that runs the same statements on the bare driver and encodes with msgspec.

No routing, no parameters, no identity, no log, no metrics: what is left is the cost of the server, the driver and the
encoder, which no framework on the same parts can go below. Reads DATABASE_URL (postgresql:// or sqlite:///).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Protocol

import asyncpg
import msgspec

from xumi.kernel.ids import generate_key

PAGE, SIZE, CONNECTIONS = 1, 20, 16
# What Xumi runs for these requests.
SELECT_USER = """
    SELECT account_user.id, account_user.username, account_user.email,
        (SELECT string_agg(account_user_role.role, ',') FROM account_user_role
        WHERE account_user_role.user_id = account_user.id) AS roles,
        account_user.enabled, account_user.last_login_at, account_user.created_at, account_user.updated_at
    FROM account_user
"""
SELECT_PAGE = f"{SELECT_USER} ORDER BY account_user.id DESC LIMIT 20 OFFSET 0"
SELECT_ONE = f"{SELECT_USER} WHERE account_user.id = $1"
SELECT_TOTAL = "SELECT count(*) FROM account_user"
SELECT_STAFF = """
    SELECT account_user.id, account_user.username, account_user.email, account_user.enabled, account_user.created_at,
        staff_member.name, staff_member.department, staff_member.phone, staff_member.address, staff_member.about,
        staff_member.joined_on
    FROM staff_member JOIN account_user ON staff_member.user_id = account_user.id
    ORDER BY staff_member.user_id DESC LIMIT 20 OFFSET 0
"""
# One statement is a transaction by itself, on both databases.
INSERT_NOTE = """
    INSERT INTO note_note (id, owner_id, title, text, stars, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


class User(msgspec.Struct):
    id: str
    username: str
    email: str | None
    roles: list[str]
    enabled: bool
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Member(msgspec.Struct):
    id: str
    username: str
    email: str | None
    enabled: bool
    created_at: datetime
    name: str
    department: str
    phone: str
    address: str
    about: str
    joined_on: date


class NoteCreate(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    text: str
    stars: int


class Store(Protocol):
    async def fetch(self, sql: str, *arguments: Any) -> Sequence[Any]:
        """All rows."""

    async def write(self, sql: str, *arguments: Any) -> None:
        """One statement, committed."""

    user: Callable[..., User]
    member: Callable[..., Member]
    time: Callable[[], Any]


class Postgres:
    """A stack of connections. asyncpg's own pool costs 60 µs a request more, for checks that a limit does without."""

    def __init__(self, connections: Sequence[asyncpg.Connection[asyncpg.Record]]) -> None:
        self._free = list(connections)
        self._places = asyncio.Semaphore(len(self._free))
        self.user, self.member = _user, Member

    @classmethod
    async def open(cls, url: str) -> Postgres:
        return cls([await asyncpg.connect(url) for _ in range(CONNECTIONS)])

    async def fetch(self, sql: str, *arguments: Any) -> Sequence[Any]:
        async with self._places:
            connection = self._free.pop()
            try:
                return await connection.fetch(sql, *arguments)
            finally:
                self._free.append(connection)

    async def write(self, sql: str, *arguments: Any) -> None:
        async with self._places:
            connection = self._free.pop()
            try:
                await connection.execute(sql, *arguments)
            finally:
                self._free.append(connection)

    def time(self) -> Any:
        """The present time, as the driver wants it."""
        return datetime.now(UTC)


def _user(id: str, username: str, email: str | None, roles: str | None, *rest: Any) -> User:
    return User(id, username, email, sorted(roles.split(",")) if roles else [], *rest)


class Sqlite:
    """One connection used on the event loop: no thread is cheaper, and with one core there is nothing to overlap."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.user, self.member = _user_of_sqlite, _member_of_sqlite

    @classmethod
    async def open(cls, url: str) -> Sqlite:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=5)
        connection.execute("PRAGMA synchronous=FULL")
        return cls(connection)

    async def fetch(self, sql: str, *arguments: Any) -> Sequence[Any]:
        return self._connection.execute(_translate(sql), arguments).fetchall()

    async def write(self, sql: str, *arguments: Any) -> None:
        self._connection.execute(_translate(sql), arguments)

    def time(self) -> Any:
        """The present time, as Xumi stores it."""
        return datetime.now(UTC).replace(tzinfo=None).isoformat(" ")


_translated: dict[str, str] = {}


def _translate(sql: str) -> str:
    if sql not in _translated:
        dialect = sql.replace("string_agg", "group_concat")
        for number in range(1, 8):
            dialect = dialect.replace(f"${number}", "?")
        _translated[sql] = dialect
    return _translated[sql]


def _user_of_sqlite(*row: Any) -> User:
    """SQLite has no boolean and no time: both come back as what they are stored as, a number and a text in UTC."""
    *first, enabled, last_login_at, created_at, updated_at = row
    last_login_at = last_login_at and _time(last_login_at + "Z")
    return _user(*first, enabled != 0, last_login_at, _time(created_at + "Z"), _time(updated_at + "Z"))


def _member_of_sqlite(*row: Any) -> Member:
    *first, enabled, created_at, name, department, phone, address, about, joined_on = row
    rest = (name, department, phone, address, about, date.fromisoformat(joined_on))
    return Member(*first, enabled != 0, _time(created_at + "Z"), *rest)


_time = datetime.fromisoformat
_encode = msgspec.json.Encoder().encode
_read_note = msgspec.json.Decoder(NoteCreate).decode
_store: Store

Receive, Send = Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    path: str = scope["path"]
    status = 200
    data: object
    if path == "/api/v1/users":
        rows = await _store.fetch(SELECT_PAGE)
        total = None
        if b"count=none" not in scope["query_string"]:
            total = (await _store.fetch(SELECT_TOTAL))[0][0]
        data = {"items": [_store.user(*row) for row in rows], "page": PAGE, "size": SIZE, "total": total}
    elif path == "/api/v1/staff":
        rows = await _store.fetch(SELECT_STAFF)
        data = {"items": [_store.member(*row) for row in rows], "page": PAGE, "size": SIZE}
    elif path == "/api/v1/note":
        note = _read_note((await receive())["body"])
        key, now = generate_key(), _store.time()
        await _store.write(INSERT_NOTE, key, "0", note.title, note.text, note.stars, now, now)
        status, data = 201, {"title": note.title, "id": key}
    elif path.startswith("/api/v1/note/greeting/"):
        data = {"text": f"Hello {path.rpartition('/')[2]}", "times": 2}
    else:
        data = _store.user(*(await _store.fetch(SELECT_ONE, path.rpartition("/")[2]))[0])
    body = _encode({"code": status, "message": "success", "data": data})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    global _store
    url = os.environ["DATABASE_URL"]
    await receive()
    _store = await (Sqlite.open(url) if url.startswith("sqlite:") else Postgres.open(url))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

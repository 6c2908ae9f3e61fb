"""An application with people in it, in which every attack begins with the same rows and the same ended access.

world = await make_world(app)
answer = await world.send(call, "owner")
world.reset()
"""

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
from sqlalchemy import Engine, Table

from tests.conftest import PASSWORD
from tests.security.rows import Rows, bring_back, find_tables, read_rows
from xumi.api import Application
from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.http.openapi import build_document
from xumi.kernel.ids import generate_key
from xumi.kernel.testing.tokens import decode
from xumi.modules.account.models import UserRole

# A role that a company has made for itself: less than an administrator, other than a user.
CLERK = ("job:list", "job:read", "poster:list", "profile:read", "session:list", "user:list", "user:read")
USERS = ("user", "owner", "other", "clerk")


@dataclass(frozen=True)
class Person:
    """Somebody who has signed in."""

    id: str
    username: str
    session_id: str
    access_token: str
    refresh_token: str


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    query: dict[str, Any]
    headers: dict[str, str]
    body: Any = None
    has_body: bool = False


class World:
    """The application, its document, its people and the rows that it began with."""

    def __init__(self, app: Application, client: httpx.AsyncClient) -> None:
        self.app, self.client = app, client
        self.document: dict[str, Any] = build_document(app.fastapi, app.table, app.resources.envelope)  # type: ignore[arg-type]
        self.people: dict[str, Person] = {}
        self.ids: dict[str, str] = {}
        self._rows: Rows = {}
        self._access: dict[str, Any] = {}

    @cached_property
    def engine(self) -> Engine:
        """A connection of the test's own to the database."""
        return sync_engine(self.app.resources.database.url)

    @cached_property
    def _tables(self) -> list[Table]:
        return find_tables(self.engine)

    async def send(self, call: Call, who: str = "anonymous") -> httpx.Response:
        """Send a request as one of the people; its own Authorization header goes before theirs."""
        person = self.people.get(who)
        headers = {"Authorization": f"Bearer {person.access_token}"} if person else {}
        body = {"json": call.body} if call.has_body else {}
        self.client.cookies.clear()
        return await self.client.request(
            call.method, call.path, params=call.query, headers=headers | call.headers, **body
        )

    async def make(self, path: str, body: Any, who: str = "admin") -> Any:
        """POST something to an endpoint that makes it; returns the answer's data."""
        answer = await self.send(Call("POST", path, {}, {}, body, has_body=True), who)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def rows(self) -> Rows:
        """All rows as they are now."""
        return read_rows(self.engine, self._tables)

    def keep(self) -> None:
        """Let `reset` come back to what is now."""
        self._rows = self.rows()
        self._access = self._remembered()

    def reset(self) -> None:
        """Bring back the rows, and what the process knows of ended access and of roles."""
        bring_back(self.engine, self._tables, self._rows)
        vars(self.app.resources.access).update({name: copy.copy(part) for name, part in self._access.items()})

    def _remembered(self) -> dict[str, Any]:
        """What the process keeps of access in mappings, whose values do not change."""
        parts = vars(self.app.resources.access).items()
        return {name: copy.copy(part) for name, part in parts if isinstance(part, dict)}

    def grant(self, role: str, *permissions: str) -> None:
        """Let a role hold these too, until the next reset."""
        access = self.app.resources.access
        access.replace_roles(access._roles | {role: access._roles.get(role, frozenset()) | set(permissions)})


async def make_world(app: Application, client: httpx.AsyncClient) -> World:
    """People in a fresh application: a user, an owner of things, another user, a clerk, an administrator."""
    world = World(app, client)
    world.grant("clerk", *CLERK)
    for name in USERS:
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        assert (await client.post("/auth/register", json=body)).status_code == 201
    await _make_clerk(app, await _sign_in(client, "clerk"))
    for name in (*USERS, "admin"):
        world.people[name] = await _sign_in(client, name)
    return world


async def _make_clerk(app: Application, person: Person) -> None:
    """The role of a clerk in the place of that of a user."""
    with app.resources.context("test"):
        async with unit_of_work() as work:
            await work.session.execute(UserRole.__table__.delete().where(UserRole.user_id == person.id))
            work.session.add(UserRole(id=generate_key(), user_id=person.id, role="clerk"))


async def _sign_in(client: httpx.AsyncClient, username: str) -> Person:
    answer = await client.post("/auth/login", json={"username": username, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    tokens = answer.json()["data"]
    claims = decode(tokens["access_token"].split(".")[1])
    return Person(claims["sub"], username, claims["sid"], tokens["access_token"], tokens["refresh_token"])

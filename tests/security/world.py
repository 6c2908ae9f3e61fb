"""An application with people in it, in which every attack begins with the same rows and the same ended access.

world = await make_world(app, client, provider)
answer = await world.send(call, "owner")
world.reset()
"""

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import httpx

from tests.conftest import PASSWORD
from tests.modules.oidc.provider import SimulatedProvider
from tests.security.rows import Database, Rows
from xumi.api import Application
from xumi.kernel.http.openapi import build_document
from xumi.kernel.testing.tokens import decode
from xumi.modules.account.models import User

# A role that a company has made for itself: less than an administrator, other than a user.
CLERK = (
    "apikey:list-all",
    "audit:list",
    "department:list",
    "department:list-members",
    "department:read",
    "invitation:list",
    "job:list",
    "job:read",
    "menu:list",
    "menu:mine",
    "menu:read",
    "menu-grant:list",
    "online:list",
    "permission:list",
    "poster:list",
    "profile:read",
    "role:list",
    "role:read",
    "scope:read",
    "session:list",
    "deal:change",
    "deal:list",
    "user:identities",
    "user:list",
    "user:read",
)
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
    content: bytes = b""
    """A body that is no JSON."""


class World:
    """The application, its document, its people and the rows that it began with."""

    _documents: ClassVar[dict[tuple[str, ...], dict[str, Any]]] = {}

    def __init__(self, app: Application, client: httpx.AsyncClient, provider: SimulatedProvider) -> None:
        self.app, self.client, self.provider = app, client, provider
        self.people: dict[str, Person] = {}
        self.ids: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.users: dict[str, User] = {}
        self._rows: Rows = {}
        self._snapshots: list[tuple[Any, dict[str, Any]]] = []

    @cached_property
    def document(self) -> dict[str, Any]:
        """The documentation of the API. It takes a second to build and depends on the routes alone."""
        routes = tuple(sorted(route.label for route in self.app.table.routes))
        if routes not in self._documents:
            self._documents[routes] = build_document(
                self.app.fastapi,
                self.app.table,  # type: ignore[arg-type]
                self.app.resources.envelope,
            )
        return self._documents[routes]

    @cached_property
    def database(self) -> Database:
        """The rows; their reader waits for the database, which must not be reached through this event loop."""
        return Database(self.app.resources.database.url)

    def close(self) -> None:
        """Give up what the test holds of the database."""
        if "database" in vars(self):
            self.database.close()

    async def send(self, call: Call, who: str = "anonymous") -> httpx.Response:
        """Send a request as one of the people; its own Authorization header goes before theirs."""
        person = self.people.get(who)
        headers = {"Authorization": f"Bearer {person.access_token}"} if person else {}
        body = {"json": call.body} if call.has_body else {"content": call.content}
        self.client.cookies.clear()
        return await self.client.request(
            call.method, call.path, params=call.query, headers=headers | call.headers, **body
        )

    async def make(self, path: str, body: Any, who: str = "admin") -> Any:
        """POST something to an endpoint that makes it; returns the answer's data."""
        answer = await self.send(Call("POST", path, {}, {}, body, has_body=True), who)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    async def put(self, path: str, body: Any) -> None:
        """PUT something as the administrator."""
        answer = await self.send(Call("PUT", path, {}, {}, body, has_body=True), "admin")
        assert answer.is_success, answer.text

    def rows(self) -> Rows:
        """All rows as they are now."""
        return self.database.read()

    def keep(self) -> None:
        """Let `reset` come back to what is now."""
        self._rows = self.rows()
        self._snapshots = [
            (snapshot, _copy_parts(vars(snapshot)))
            for snapshot in (self.app.resources.access, self.app.resources.scopes)
        ]

    def reset(self) -> None:
        """Bring back the rows, and what the process knows of ended access, of roles and of scopes."""
        self.database.bring_back(self._rows)
        for snapshot, parts in self._snapshots:
            vars(snapshot).update(_copy_parts(parts))

    def grant(self, role: str, *permissions: str) -> None:
        """Let a role hold these too, until the next reset."""
        access = self.app.resources.access
        roles = access._known_roles()
        granted = roles | {role: roles.get(role, frozenset()) | set(permissions)}
        access.replace_roles(granted, access._included, access._second_factor)


def _copy_parts(parts: dict[str, Any]) -> dict[str, Any]:
    """What a snapshot keeps in collections, whose values do not change."""
    return {name: copy.copy(part) for name, part in parts.items() if isinstance(part, dict | set | frozenset)}


async def make_world(app: Application, client: httpx.AsyncClient, provider: SimulatedProvider) -> World:
    """People in a fresh application: a user, an owner of things, another user, a clerk, an administrator.

    Of deals, users reach their own, and clerks those of the department `sales`.
    """
    world = World(app, client, provider)
    world.people["admin"] = await _sign_in(client, "admin")
    sales: str = await world.make("/api/v1/departments", {"code": "sales", "name": "Sales"})
    world.ids["sales"] = sales
    await world.make("/api/v1/roles", {"code": "clerk", "title_en": "Clerk", "title_zh": "文员"})
    await world.put("/api/v1/roles/clerk/permissions", {"permissions": CLERK})
    own = {"resource": "deal", "kind": "own"}
    listed = {"resource": "deal", "kind": "custom", "departments": [sales]}
    for role, rule in (("user", own), ("clerk", listed)):
        await world.put(f"/api/v1/roles/{role}/scopes", {"scopes": [rule]})
    for name in USERS:
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        body |= {"roles": ["clerk" if name == "clerk" else "user"]}
        await world.make("/api/v1/users", body)
        world.people[name] = await _sign_in(client, name)
    return world


async def _sign_in(client: httpx.AsyncClient, username: str) -> Person:
    answer = await client.post("/auth/login", json={"username": username, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    tokens = answer.json()["data"]
    claims = decode(tokens["access_token"].split(".")[1])
    return Person(claims["sub"], username, claims["sid"], tokens["access_token"], tokens["refresh_token"])

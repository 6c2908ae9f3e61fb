"""Administrators who change menus, callers who see them, and short ways to say what is there."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete, select, update

from tests.conftest import PASSWORD, make_settings, sign_in
from xumi.api import Application
from xumi.kernel.auth import password
from xumi.kernel.config import Settings
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.testing.client import open_client
from xumi.modules.access.schemas import RoleCreate
from xumi.modules.access.service.role import create
from xumi.modules.account.models import User, UserRole
from xumi.modules.menu.models import MenuItem

MENUS = "/api/v1/menus"

SignUp = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing costs next to nothing here."""
    monkeypatch.setattr(password, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(password, "_NOBODY", password._nobody())


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Many requests come from one address here."""
    return make_settings(database_url, rate_limit_enabled=False, log_level="CRITICAL")


@pytest.fixture
async def empty(app: Application) -> Application:
    """The application without the menus that are there from the start, with two roles more."""
    with app.resources.context("test"):
        async with unit_of_work() as work:
            await work.session.execute(update(MenuItem).values(parent_id=None))
            await work.session.execute(delete(MenuItem))
            for code in ("clerk", "manager"):
                await create(work.session, RoleCreate(code=code, title_en=code, title_zh=code))
    return app


@pytest.fixture
async def sign_up(app: Application) -> AsyncIterator[SignUp]:
    """Make an account with other roles than `user` and sign in: `await sign_up("carol", "user", "clerk")`."""
    async with AsyncExitStack() as stack:

        async def make(username: str, *roles: str) -> httpx.AsyncClient:
            client = await stack.enter_async_context(open_client(app))
            body = {"username": username, "email": f"{username}@example.com", "password": PASSWORD}
            assert (await client.post("/auth/register", json=body)).status_code == 201
            with app.resources.context("test"):
                async with unit_of_work() as work:
                    user_id = await work.session.scalar(select(User.id).where(User.username == username))
                    await work.session.execute(delete(UserRole).where(UserRole.user_id == user_id))
                    work.session.add_all(UserRole(user_id=user_id, role=role) for role in roles)
            await sign_in(client, username)
            return client

        yield make


def directory(code: str, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A document that makes a directory."""
    titles = {"title_en": code.capitalize(), "title_zh": f"目录{code}"}
    return {"kind": "directory", "code": code, **titles, "path": f"/{code}", "children": [*children], **more}


def page(code: str, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A document that makes a page."""
    places = {"path": f"/{code}", "component": f"{code}/index"}
    return {**directory(code, *children), "kind": "page", **places, **more}


def element(code: str, **more: Any) -> dict[str, Any]:
    """A document that makes a button."""
    return {"kind": "element", "code": code, "title_en": code, "title_zh": code, **more}


def link(code: str, **more: Any) -> dict[str, Any]:
    """A document that makes a link."""
    return {**element(code), "kind": "link", "url": "https://example.com/help", **more}


async def make(admin: httpx.AsyncClient, document: dict[str, Any]) -> dict[str, str]:
    """Make what a document says; returns the ids of all items there are, by code."""
    response = await admin.post(MENUS, json=document)
    assert response.status_code == 201, response.text
    return await ids(admin)


async def ids(admin: httpx.AsyncClient) -> dict[str, str]:
    """The ids of all items by code."""
    found = (await admin.get(MENUS, params={"size": 100})).json()["data"]["items"]
    return {item["code"]: item["id"] for item in found}


Shape = list[Any]


async def shape(admin: httpx.AsyncClient) -> Shape:
    """The tree by codes: `["a", ["b", ["c"]]]` is a leaf `a` and a branch `b` with `c` in it."""
    response = await admin.get(f"{MENUS}/tree")
    assert response.status_code == 200, response.text
    return outline(response.json()["data"], "code")


def outline(nodes: list[dict[str, Any]], name: str = "name") -> Shape:
    """The same of any nested answer."""
    return [
        [node[name], outline(node["children"], name)] if node["children"] else node[name] for node in nodes
    ]


async def mine(client: httpx.AsyncClient) -> tuple[Shape, list[str]]:
    """The routes that a caller sees, by name, and his buttons."""
    response = await client.get(f"{MENUS}/mine")
    assert response.status_code == 200, response.text
    data = response.json()["data"]
    return outline(data["menus"]), data["elements"]


def refusal(response: httpx.Response) -> tuple[int, list[str]]:
    """What a refused request is told: the error's number and the fields."""
    body = response.json()
    assert body["status"] == "error", body
    return body["code"], [error["field"] for error in body.get("errors", [])]

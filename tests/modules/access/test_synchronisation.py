"""Permissions come from the modules at start: new ones appear, vanished ones are marked, none is granted silently."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import make_settings
from tests.modules.access.conftest import ROLES, Employ, Make, granted
from tests.modules.account.conftest import Connect, Person
from xumi.api import Application, create_app
from xumi.kernel.config import Settings
from xumi.kernel.copies import TIMEOUT_SECONDS
from xumi.kernel.db import migrate
from xumi.kernel.errors import StartError
from xumi.kernel.http.router import Router
from xumi.kernel.ids import generate_key
from xumi.kernel.modules import Feature, Module
from xumi.kernel.testing.client import open_client, running
from xumi.kernel.testing.contention import contend
from xumi.modules.access.service import snapshot, synchronise

PERMISSIONS = "/api/v1/permissions"


def plant(**more: Any) -> Feature:
    """A module with a route that waters and a permission that no route asks for."""
    router = Router("/plants")

    @router.get("/water", permission="plant:water")
    async def water() -> int:
        """Water the plants."""
        return 1

    declared: dict[str, Any] = {
        "permissions": {"plant:price": ("See prices of plants", "查看植物价格")},
        "grants": {"user": ("plant:water",), "gardener": ("plant:water", "plant:price")},
    }
    module = Module(name="plant", title_en="Plants", title_zh="植物", **(declared | more))
    return Feature(module, "plant", [router])


async def restart(app: Application, *more: Feature) -> None:
    """What a start with these features too does with the database; this process then looks at it."""
    with app.resources.context("start"):
        await synchronise([*app.resources.features, *more])
        await app.resources.copies.look()


async def listed(chief: Person, **query: Any) -> list[dict[str, Any]]:
    """All pages of the permissions that are wanted."""
    items: list[dict[str, Any]] = []
    while True:
        page = {"size": 100, "page": len(items) // 100 + 1}
        response = await chief.client.get(PERMISSIONS, params=page | query)
        assert response.status_code == 200, response.text
        items += response.json()["data"]["items"]
        if len(items) >= response.json()["data"]["total"]:
            return items


async def test_permissions_of_all_routes_are_there_with_titles(app: Application, chief: Person) -> None:
    codes = {route.policy.permission for route in app.table.routes} - {None}
    found = await listed(chief)
    assert codes <= {permission["code"] for permission in found}
    assert all(permission["title_en"] and permission["title_zh"] for permission in found)
    account = await listed(chief, feature="account", code="user:list")
    assert account == [
        {
            "code": "user:list",
            "feature": "account",
            "title_en": "List users",
            "title_zh": "查看用户列表",
            "vanished_at": None,
        }
    ]
    assert await listed(chief, vanished=True) == []


async def test_new_ones_appear_and_vanished_ones_count_for_nothing_until_they_return(
    app: Application, chief: Person
) -> None:
    access = app.resources.access
    await restart(app, plant())
    found = await listed(chief, feature="plant")
    assert [(each["code"], each["title_en"], each["title_zh"]) for each in found] == [
        ("plant:price", "See prices of plants", "查看植物价格"),
        ("plant:water", "Water the plants", "Water the plants"),
    ]
    # What is declared is granted, and nothing else.
    assert "plant:water" in access.permissions_of(["user"])
    assert "plant:price" not in access.permissions_of(["user"])
    assert await granted(chief, "gardener") == {"own": ["plant:price", "plant:water"], "inherited": []}
    await restart(app)
    assert [each["code"] for each in await listed(chief, vanished=True)] == ["plant:price", "plant:water"]
    assert access.permissions_of(["gardener"]) == frozenset()
    assert (await granted(chief, "gardener"))["own"] == ["plant:price", "plant:water"]
    vanished = {"permissions": ["plant:water"]}
    assert (await chief.client.post(f"{ROLES}/user/permissions", json=vanished)).status_code == 204
    await chief.client.request("DELETE", f"{ROLES}/user/permissions", json=vanished)
    assert (await chief.client.post(f"{ROLES}/user/permissions", json=vanished)).status_code == 422
    await restart(app, plant())
    assert await listed(chief, vanished=True) == []
    assert access.permissions_of(["gardener"]) == {"plant:price", "plant:water"}
    # An administrator has taken it away: a start does not give it back.
    assert "plant:water" not in access.permissions_of(["user"])


async def test_a_role_that_people_made_gets_nothing_from_a_module(
    app: Application, chief: Person, make_role: Make
) -> None:
    await make_role("gardener")
    await restart(app, plant())
    assert await granted(chief, "gardener") == {"own": [], "inherited": []}
    with pytest.raises(StartError, match="everything"):
        await restart(app, plant(grants={"gardener": ("*",)}))


async def test_several_starts_at_once_leave_each_permission_once(app: Application, chief: Person) -> None:
    features = [*app.resources.features, plant()]

    async def start() -> None:
        with app.resources.context("start"):
            await synchronise(features)

    assert (await contend(4, start)).errors == []
    assert len(await listed(chief, feature="plant")) == 2
    told = await chief.client.get("/api/v1/audit", params={"action": "permission.synchronised"})
    first, *rest = told.json()["data"]["items"]
    assert first["after"] == {"appeared": ["plant:price", "plant:water"], "vanished": [], "returned": []}
    assert len(rest) == 1


@pytest.fixture
async def second(app: Application, settings: Settings) -> AsyncIterator[Application]:
    """Another worker on the same database."""
    other = create_app(settings)
    async with running(other):
        yield other


async def test_another_worker_knows_within_a_second(
    second: Application, chief: Person, make_role: Make, employ: Employ, connect: Connect
) -> None:
    await make_role("clerk", "role:list")
    carol = await employ("carol", "clerk")
    there = await connect(second, headers={"Authorization": f"Bearer {carol.access_token}"})

    async def until(status: int) -> None:
        while (await there.get(ROLES)).status_code != status:
            await asyncio.sleep(0.02)

    async with asyncio.timeout(10):
        await until(200)
        await chief.client.post(f"{ROLES}/clerk/disable")
        await until(403)


async def test_nobody_is_let_in_until_the_roles_are_known(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/late.db"
    app = create_app(make_settings(url))
    async with running(app), open_client(app) as client:
        token, _ = app.resources.tokens.issue_access(generate_key(), generate_key(), ("admin",), 0)
        client.headers["Authorization"] = f"Bearer {token}"
        refused = await client.get(ROLES)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert (await client.get("/health")).status_code == 200
        await migrate.upgrade(url)
        # Less than one copy may take: whoever synchronises does not wait for itself.
        async with asyncio.timeout(TIMEOUT_SECONDS / 2):
            while (await client.get(ROLES)).status_code != 200:
                await asyncio.sleep(0.02)


async def test_a_change_counts_although_it_cannot_be_read_at_once(
    app: Application, chief: Person, make_role: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OSError("the database is away")

    await make_role("clerk")
    body = {"permissions": ["user:list"]}
    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "fetch_value", fail)
        assert (await chief.client.put(f"{ROLES}/clerk/permissions", json=body)).status_code == 204
        assert app.resources.access.permissions_of(["clerk"]) == frozenset()
    with app.resources.context("test"):
        await app.resources.copies.look()
    assert app.resources.access.permissions_of(["clerk"]) == {"user:list"}

"""Changes of roles that happen at once come one after the other."""

from typing import Any

import httpx
from sqlalchemy import func, select

from tests.modules.access.conftest import ROLES, USERS, Employ, Make, granted
from tests.modules.account.conftest import Person
from xumi.api import Application
from xumi.kernel.testing.contention import contend
from xumi.modules.access.models import AccessVersion, Role


def attempts(chief: Person, *calls: tuple[str, str, Any]) -> Any:
    """One call after the other, for `contend`."""
    remaining = iter(calls)

    async def call() -> httpx.Response:
        method, path, body = next(remaining)
        return await chief.client.request(method, f"{ROLES}{path}", json=body)

    return call


async def statuses(chief: Person, *calls: tuple[str, str, Any]) -> list[int]:
    outcomes = await contend(len(calls), attempts(chief, *calls))
    assert not outcomes.errors
    return sorted(response.status_code for response in outcomes.results)


async def test_two_includes_at_once_make_no_cycle(chief: Person, make_role: Make) -> None:
    for role in ("a", "b", "c"):
        await make_role(role)
    answers = await statuses(
        chief,
        ("PUT", "/a/includes", {"includes": ["b"]}),
        ("PUT", "/b/includes", {"includes": ["c"]}),
        ("PUT", "/c/includes", {"includes": ["a"]}),
    )
    assert answers == [204, 204, 422]


async def test_one_of_many_makes_a_role(app: Application, chief: Person) -> None:
    body = {"code": "clerk", "title_en": "x", "title_zh": "x"}
    assert await statuses(chief, *[("POST", "", body)] * 6) == [201] + [409] * 5
    async with app.resources.database.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).where(Role.code == "clerk")) == 1


async def test_permissions_that_are_added_at_once_are_all_there(
    app: Application, chief: Person, make_role: Make
) -> None:
    await make_role("clerk")
    permissions = ["user:list", "user:read", "role:list", "role:read", "audit:list"]
    calls = [("POST", "/clerk/permissions", {"permissions": [each, "user:create"]}) for each in permissions]
    assert await statuses(chief, *calls) == [204] * 5
    assert (await granted(chief, "clerk"))["own"] == sorted([*permissions, "user:create"])
    # This process knows as well, and the number of the version has not lost a change.
    assert app.resources.access.permissions_of(["clerk"]) == {*permissions, "user:create"}
    async with app.resources.database.engine.connect() as connection:
        version = await connection.scalar(select(AccessVersion.version))
    assert version is not None
    assert version >= len(permissions) + 1


async def test_a_role_is_deleted_once_and_its_users_are_moved_once(
    chief: Person, make_role: Make, employ: Employ
) -> None:
    await make_role("clerk")
    people = [await employ(name, "clerk") for name in ("carol", "dave")]
    answers = await statuses(chief, *[("DELETE", "/clerk?migrate_to=user", None)] * 3)
    assert answers == [204, 404, 404]
    for person in people:
        assert (await chief.client.get(f"{USERS}/{person.id}")).json()["data"]["roles"] == ["user"]

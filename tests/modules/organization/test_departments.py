"""Departments: their tree under many hands, and who belongs to them."""

import random
from typing import Any

import httpx
import pytest

from tests.modules.organization.conftest import Join, create_department
from xumi.api import Application
from xumi.kernel.testing import race
from xumi.kernel.testing.contention import contend

pytestmark = pytest.mark.anyio

DEPARTMENTS = "/api/v1/departments"


async def read_tree(admin: httpx.AsyncClient) -> Any:
    """The tree as nested lists: `[("a", [("b", [])])]`."""
    response = await admin.get(DEPARTMENTS)
    assert response.status_code == 200, response.text

    def outline(nodes: list[dict[str, Any]]) -> list[tuple[str, Any]]:
        return [(node["code"], outline(node["children"])) for node in nodes]

    return outline(response.json()["data"])


async def move(admin: httpx.AsyncClient, department: str, parent: str | None) -> httpx.Response:
    """Move a department."""
    return await admin.post(f"{DEPARTMENTS}/{department}/move", json={"parent_id": parent})


def field_of(response: httpx.Response) -> str:
    """The one field that a refusal names."""
    (error,) = response.json()["errors"]
    return str(error["field"])


async def test_a_department_is_made_read_changed_moved_and_deleted(admin: httpx.AsyncClient) -> None:
    head = await create_department(admin, "head")
    sales = await create_department(admin, "sales", head)
    shop = await create_department(admin, "shop", sales)
    assert await read_tree(admin) == [("head", [("sales", [("shop", [])])])]
    body = {"name": "Verkauf", "order": 3, "enabled": False}
    assert (await admin.patch(f"{DEPARTMENTS}/{sales}", json=body)).status_code == 204
    assert (await admin.get(f"{DEPARTMENTS}/{sales}")).json()["data"] == {
        "id": sales,
        "parent_id": head,
        "code": "sales",
        **body,
    }
    assert (await move(admin, shop, head)).status_code == 204
    assert await read_tree(admin) == [("head", [("shop", []), ("sales", [])])]
    body = {"parent_id": head, "order": 9}
    assert (await admin.post(f"{DEPARTMENTS}/{shop}/move", json=body)).status_code == 204
    assert await read_tree(admin) == [("head", [("sales", []), ("shop", [])])]
    assert (await move(admin, shop, None)).status_code == 204
    assert (await admin.delete(f"{DEPARTMENTS}/{shop}")).status_code == 204
    assert await read_tree(admin) == [("head", [("sales", [])])]
    assert (await admin.get(f"{DEPARTMENTS}/{shop}")).status_code == 404


async def test_what_cannot_be_is_refused_and_named(admin: httpx.AsyncClient) -> None:
    head = await create_department(admin, "head")
    sales = await create_department(admin, "sales", head)
    taken = await admin.post(DEPARTMENTS, json={"code": "sales", "name": "x"})
    assert (taken.status_code, field_of(taken)) == (409, "code")
    taken = await admin.patch(f"{DEPARTMENTS}/{head}", json={"code": "sales"})
    assert (taken.status_code, field_of(taken)) == (409, "code")
    nowhere = await admin.post(DEPARTMENTS, json={"code": "x", "name": "x", "parent_id": "0"})
    assert (nowhere.status_code, field_of(nowhere)) == (422, "parent_id")
    for parent in (head, sales, "0"):
        refused = await move(admin, head, parent)
        assert (refused.status_code, field_of(refused)) == (422, "parent_id")
    refused = await admin.delete(f"{DEPARTMENTS}/{head}")
    assert (refused.status_code, refused.json()["code"]) == (409, 40970)
    for response in (
        await admin.patch(f"{DEPARTMENTS}/0", json={"name": "x"}),
        await admin.delete(f"{DEPARTMENTS}/0"),
        await move(admin, "0", None),
        await admin.get(f"{DEPARTMENTS}/0/members"),
        await admin.put(f"{DEPARTMENTS}/0/members", json={"user_ids": []}),
    ):
        assert response.status_code == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_tree_has_a_depth(admin: httpx.AsyncClient) -> None:
    path = [await create_department(admin, "d1")]
    for number in range(2, 33):
        path.append(await create_department(admin, f"d{number}", path[-1]))
    refused = await admin.post(DEPARTMENTS, json={"code": "d33", "name": "x", "parent_id": path[-1]})
    assert (refused.status_code, field_of(refused)) == (422, "parent_id")
    other = await create_department(admin, "other")
    below = await create_department(admin, "below", other)
    assert (await move(admin, other, path[30])).status_code == 422
    assert (await move(admin, below, path[30])).status_code == 204


async def test_two_moves_that_would_make_a_cycle_together_do_not(admin: httpx.AsyncClient) -> None:
    one, two = await create_department(admin, "one"), await create_department(admin, "two")
    pairs = [(one, two), (two, one)] * 3
    outcomes = await contend(6, lambda: move(admin, *pairs.pop()))
    statuses = {response.status_code for response in outcomes.results}
    assert statuses == {204, 422}
    assert sum(len(children) for _, children in await read_tree(admin)) == 1


async def test_a_cycle_is_not_made_at_the_worst_moment(app: Application, admin: httpx.AsyncClient) -> None:
    one, two = await create_department(admin, "one"), await create_department(admin, "two")
    moved: list[httpx.Response] = []

    async def move_the_other_way() -> None:
        moved.append(await move(admin, two, one))

    with race.before("xumi.modules.organization.service.department.lock", move_the_other_way):
        refused = await move(admin, one, two)
    assert (moved[0].status_code, refused.status_code) == (204, 422)


async def test_many_random_moves_at_once_leave_a_tree_with_everybody_in_it(admin: httpx.AsyncClient) -> None:
    chance = random.Random(7)
    made = [await create_department(admin, f"d{number}") for number in range(8)]
    moves = [(chance.choice(made), chance.choice([None, *made])) for _ in range(40)]
    outcomes = await contend(8, lambda: _walk(admin, moves))
    assert outcomes.errors == []

    def count(nodes: list[tuple[str, Any]]) -> int:
        return sum(1 + count(children) for _, children in nodes)

    assert count(await read_tree(admin)) == 8


async def _walk(admin: httpx.AsyncClient, moves: list[tuple[str, str | None]]) -> None:
    while moves:
        assert (await move(admin, *moves.pop())).status_code in (204, 422)


async def test_a_user_has_one_main_department_and_others(admin: httpx.AsyncClient, join: Join) -> None:
    one, two, three = [await create_department(admin, code) for code in ("one", "two", "three")]
    zoe, _ = await join("zoe")
    url = f"/api/v1/users/{zoe}/departments"
    assert (await admin.put(url, json={"main": two, "more": [three, one]})).status_code == 204
    found = (await admin.get(url)).json()["data"]
    assert (found["main"], set(found["more"])) == (two, {one, three})
    members = (await admin.get(f"{DEPARTMENTS}/{two}/members")).json()["data"]["items"]
    assert members == [{"user_id": zoe, "username": "zoe", "main": True}]
    refused = await admin.delete(f"{DEPARTMENTS}/{two}")
    assert (refused.status_code, refused.json()["code"]) == (409, 40970)
    assert (await admin.put(url, json={"main": one, "more": [one]})).status_code == 204
    assert (await admin.get(url)).json()["data"] == {"main": one, "more": []}
    assert (await admin.put(url, json={"main": None})).status_code == 204
    assert (await admin.get(url)).json()["data"] == {"main": None, "more": []}
    for body, field in (
        ({"main": None, "more": [one]}, "main"),
        ({"main": "0"}, "main"),
        ({"main": one, "more": ["0"]}, "more"),
    ):
        refused = await admin.put(url, json=body)
        assert (refused.status_code, field_of(refused)) == (422, field)
    for method in ("GET", "PUT"):
        response = await admin.request(method, "/api/v1/users/0/departments", json={"main": one})
        assert response.status_code == 404


async def test_the_members_of_a_department_are_set(admin: httpx.AsyncClient, join: Join) -> None:
    one, two = await create_department(admin, "one"), await create_department(admin, "two")
    people = [(await join(name))[0] for name in ("ann", "bob", "cid")]
    for department in (one, two):
        body = {"user_ids": people}
        assert (await admin.put(f"{DEPARTMENTS}/{department}/members", json=body)).status_code == 204
    assert await mains(admin, one) == {"ann": True, "bob": True, "cid": True}
    assert await mains(admin, two) == {"ann": False, "bob": False, "cid": False}
    body = {"user_ids": people[1:]}
    assert (await admin.put(f"{DEPARTMENTS}/{one}/members", json=body)).status_code == 204
    assert await mains(admin, one) == {"bob": True, "cid": True}
    assert await mains(admin, two) == {"ann": True, "bob": False, "cid": False}
    refused = await admin.put(f"{DEPARTMENTS}/{one}/members", json={"user_ids": [*people, "0"]})
    assert (refused.status_code, field_of(refused)) == (422, "user_ids")
    assert (await admin.patch(f"{DEPARTMENTS}/{one}", json={"enabled": False})).status_code == 204
    refused = await admin.put(f"{DEPARTMENTS}/{one}/members", json={"user_ids": people})
    assert (refused.status_code, refused.json()["code"]) == (409, 40971)
    assert (await admin.put(f"{DEPARTMENTS}/{one}/members", json={"user_ids": people[1:]})).status_code == 204


async def mains(admin: httpx.AsyncClient, department: str) -> dict[str, bool]:
    """The members of a department by name, and whether it is their main one."""
    found = (await admin.get(f"{DEPARTMENTS}/{department}/members")).json()["data"]["items"]
    return {item["username"]: item["main"] for item in found}


async def test_a_deleted_user_leaves_his_departments(admin: httpx.AsyncClient, join: Join) -> None:
    one = await create_department(admin, "one")
    zoe, _ = await join("zoe")
    assert (await admin.put(f"{DEPARTMENTS}/{one}/members", json={"user_ids": [zoe]})).status_code == 204
    assert (await admin.delete(f"/api/v1/users/{zoe}")).status_code == 204
    assert (await admin.delete(f"{DEPARTMENTS}/{one}")).status_code == 204

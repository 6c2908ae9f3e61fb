"""Changes of the tree that happen at the same moment, on both databases: no circle, no orphan, no code twice."""

import itertools
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from tests.modules.menu.conftest import MENUS, directory, make, page, refusal, shape
from xumi.api import Application
from xumi.kernel.testing import race
from xumi.kernel.testing.contention import contend

pytestmark = pytest.mark.usefixtures("empty")


async def at_once(*requests: Coroutine[Any, Any, httpx.Response]) -> list[httpx.Response]:
    """Send requests at the same moment, each on a connection to the database of its own."""
    waiting = iter(requests)
    outcomes = await contend(len(requests), lambda: next(waiting))
    assert outcomes.errors == []
    return outcomes.results


async def test_two_moves_at_once_make_no_circle(admin: httpx.AsyncClient) -> None:
    for number in range(10):
        a, b = f"a{number}", f"b{number}"
        await make(admin, directory(a))
        known = await make(admin, directory(b))
        answers = await at_once(
            admin.post(f"{MENUS}/{known[a]}/move", json={"parent_id": known[b]}),
            admin.post(f"{MENUS}/{known[b]}/move", json={"parent_id": known[a]}),
        )
        assert sorted(answer.status_code for answer in answers) == [204, 409]
        assert [refusal(answer) for answer in answers if answer.status_code == 409] == [(40931, [])]
        assert await shape(admin) in ([[a, [b]]], [[b, [a]]])
        for item in known.values():
            await admin.delete(f"{MENUS}/{item}?with_children=true")


async def test_a_longer_circle_is_not_made_either(admin: httpx.AsyncClient) -> None:
    codes = "abcdef"
    for code in codes:
        known = await make(admin, directory(code))
    moves = [
        admin.post(f"{MENUS}/{known[code]}/move", json={"parent_id": known[parent]})
        for code, parent in zip(codes, codes[1:] + codes[:1], strict=True)
    ]
    answers = await at_once(*moves)
    assert sorted(answer.status_code for answer in answers) == [204] * 5 + [409]
    tree = str(await shape(admin))
    assert all(tree.count(f"'{code}'") == 1 for code in codes)


async def test_a_move_sees_what_was_moved_just_before_it(admin: httpx.AsyncClient) -> None:
    await make(admin, directory("a"))
    known = await make(admin, directory("b"))

    async def move_b_below_a() -> None:
        response = await admin.post(f"{MENUS}/{known['b']}/move", json={"parent_id": known["a"]})
        assert response.status_code == 204

    with race.before("xumi.modules.menu.service.place.Tree.lock", move_b_below_a):
        response = await admin.post(f"{MENUS}/{known['a']}/move", json={"parent_id": known["b"]})
    assert refusal(response) == (40931, [])
    assert await shape(admin) == [["a", ["b"]]]


async def test_a_code_that_many_want_is_given_once(admin: httpx.AsyncClient) -> None:
    answers = await at_once(*[admin.post(MENUS, json=page("a")) for _ in range(8)])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert {str(refusal(answer)) for answer in answers if answer.status_code == 409} == {"(40901, ['code'])"}
    assert await shape(admin) == ["a"]


async def test_nothing_hangs_below_what_is_deleted_meanwhile(admin: httpx.AsyncClient) -> None:
    for number in range(6):
        known = await make(admin, directory(f"a{number}"))
        parent = known[f"a{number}"]
        requests = [
            admin.delete(f"{MENUS}/{parent}"),
            admin.post(MENUS, json=page(f"b{number}", parent_id=parent)),
            admin.put("/api/v1/roles/clerk/menus", json={"menu_ids": [parent]}),
        ]
        answers = await at_once(*requests[:: -1 if number % 2 else 1])
        deleted, made, granted = answers[:: -1 if number % 2 else 1]
        assert (deleted.status_code, made.status_code) in ((204, 422), (409, 201))
        assert granted.status_code in (204, 422)
        rest = await shape(admin)
        assert rest == ([] if deleted.status_code == 204 else [[f"a{number}", [f"b{number}"]]])
        await admin.delete(f"{MENUS}/{parent}?with_children=true")


async def test_siblings_are_numbered_once_whoever_orders_them(
    app: Application, admin: httpx.AsyncClient
) -> None:
    known = await make(admin, directory("a", page("b"), page("c"), page("d")))
    orders = list(itertools.permutations([known[code] for code in "bcd"]))
    bodies = [{"parent_id": known["a"], "ids": order} for order in orders]
    answers = await at_once(*[admin.post(f"{MENUS}/reorder", json=body) for body in bodies])
    assert {answer.status_code for answer in answers} == {204}
    found = (await admin.get(MENUS, params={"parent_id": known["a"], "sort": "order"})).json()["data"][
        "items"
    ]
    assert [each["order"] for each in found] == [0, 1, 2]

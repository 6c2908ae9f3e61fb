"""A cart keeps what was put in, says what is true of it now, and never has more than it may."""

import itertools
from typing import Any

import httpx
import pytest

from tests.modules.account.conftest import Person, SignIn
from tests.modules.shop.cart.conftest import Shelf
from tests.modules.shop.catalog.conftest import send
from xumi.api import Application
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.testing import race
from xumi.kernel.testing.contention import contend
from xumi.modules.shop.cart import service

# Where what is tested does not depend on the database.
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def alice(sign_up: SignIn) -> Person:
    """A customer."""
    return await sign_up("alice")


async def put(person: Person, sku_id: str, quantity: int, status: int = 204, **more: Any) -> Any:
    """Put something into somebody's cart."""
    body = {"quantity": quantity, **more}
    return await send(person.client, "PUT", f"/cart/lines/{sku_id}", body, status)


async def cart(person: Person) -> dict[str, int]:
    """The quantities in somebody's cart, by SKU."""
    read = await send(person.client, "GET", "/cart")
    return {line["sku_id"]: line["quantity"] for line in read["lines"]}


async def test_it_keeps_what_was_put_in(alice: Person, sign_up: SignIn, shelf: Shelf) -> None:
    bob, (red, green, blue) = await sign_up("bob"), await shelf(3)
    assert await send(alice.client, "GET", "/cart") == {"lines": [], "total_quantity": 0, "total_fen": 0}
    await put(alice, red, 2)
    await put(alice, green, 1, selected=False)
    await put(alice, blue, 5)
    await put(alice, red, 3)
    await put(bob, red, 1)
    read = await send(alice.client, "GET", "/cart")
    assert [(line["sku_id"], line["quantity"], line["selected"]) for line in read["lines"]] == [
        (blue, 5, True),
        (green, 1, False),
        (red, 3, True),
    ]
    assert (read["total_quantity"], read["total_fen"]) == (8, 8000)
    line = read["lines"][0]
    assert (line["price_fen"], line["available"], line["on_sale"], line["orderable"]) == (1000, 5, True, True)
    assert line["options"] == {"Size": "2"}
    for _ in range(2):
        await send(alice.client, "DELETE", f"/cart/lines/{blue}", None, 204)
        assert await cart(alice) == {red: 3, green: 1}
    await send(alice.client, "DELETE", "/cart", None, 204)
    assert await cart(alice) == {}
    assert await cart(bob) == {red: 1}


async def test_it_says_what_has_changed(alice: Person, admin: httpx.AsyncClient, shelf: Shelf) -> None:
    (red, green) = await shelf(2)
    await put(alice, red, 5)
    await put(alice, green, 6)
    await send(admin, "PATCH", f"/shop/skus/{red}", {"price_fen": 900}, 204)
    few, cheap = (await send(alice.client, "GET", "/cart"))["lines"]
    assert (few["orderable"], few["available"], few["price_changed"]) == (False, 5, False)
    assert (cheap["price_fen"], cheap["seen_price_fen"], cheap["price_changed"]) == (900, 1000, True)
    assert (await send(alice.client, "GET", "/cart"))["total_fen"] == 4500
    # Whoever puts it in again has seen the new price.
    await put(alice, red, 5)
    assert (await send(alice.client, "GET", "/cart"))["lines"][1]["price_changed"] is False
    product = cheap["product_id"]
    await send(admin, "PUT", f"/shop/products/{product}/state", {"state": "off"}, 204)
    read = await send(alice.client, "GET", "/cart")
    assert [(line["on_sale"], line["orderable"]) for line in read["lines"]] == [(False, False)] * 2
    assert (read["total_quantity"], read["total_fen"]) == (0, 0)
    await put(alice, red, 5, selected=False)
    await send(alice.client, "DELETE", f"/cart/lines/{green}", None, 204)
    answer = await alice.client.put(f"/api/v1/cart/lines/{green}", json={"quantity": 1})
    assert (answer.status_code, answer.json()["code"]) == (409, 40979)


@one_database
@pytest.mark.parametrize("body", [{"quantity": 0}, {"quantity": 1000}, {"quantity": -1}, {}])
async def test_a_line_has_limits(alice: Person, shelf: Shelf, body: dict[str, Any]) -> None:
    (red,) = await shelf()
    answer = await alice.client.put(f"/api/v1/cart/lines/{red}", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "quantity")


async def test_what_does_not_exist_cannot_be_put_in(alice: Person) -> None:
    answer = await alice.client.put("/api/v1/cart/lines/nothing", json={"quantity": 1})
    assert answer.status_code == 404


async def test_a_guests_cart_is_taken_over_once(alice: Person, shelf: Shelf) -> None:
    (red, green, blue) = await shelf(3)
    await put(alice, red, 2)
    await put(alice, green, 4, selected=False)
    guest = [
        {"sku_id": red, "quantity": 3},
        {"sku_id": green, "quantity": 1},
        {"sku_id": blue, "quantity": 1200},
        {"sku_id": red, "quantity": 1},
        {"sku_id": "nothing", "quantity": 1},
    ]
    for _ in range(2):
        report = await send(alice.client, "POST", "/cart/merge", {"lines": guest})
        assert report["cut"] == [
            {"sku_id": blue, "asked": 1200, "kept": 999, "reason": "quantity"},
            {"sku_id": "nothing", "asked": 1, "kept": 0, "reason": "not_on_sale"},
        ]
        assert await cart(alice) == {red: 3, green: 4, blue: 999}
    selected = {
        line["sku_id"]: line["selected"] for line in (await send(alice.client, "GET", "/cart"))["lines"]
    }
    assert selected == {red: True, green: False, blue: True}


async def test_a_cart_has_a_hundred_lines(alice: Person, shelf: Shelf) -> None:
    skus = await shelf(103)
    report = await send(
        alice.client,
        "POST",
        "/cart/merge",
        {"lines": [{"sku_id": sku, "quantity": 1} for sku in skus[:97]] * 2},
    )
    assert report == {"cut": []}
    # Six want the last three places.
    waiting = iter(skus[97:])
    answers: list[httpx.Response] = (
        await contend(
            6, lambda: alice.client.put(f"/api/v1/cart/lines/{next(waiting)}", json={"quantity": 1})
        )
    ).results
    assert sorted(answer.status_code for answer in answers) == [204] * 3 + [409] * 3
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {40978}
    inside = await cart(alice)
    assert len(inside) == 100
    outside = next(sku for sku in skus if sku not in inside)
    guest = {"lines": [{"sku_id": outside, "quantity": 2}, {"sku_id": skus[0], "quantity": 7}]}
    report = await send(alice.client, "POST", "/cart/merge", guest)
    assert report["cut"] == [{"sku_id": outside, "asked": 2, "kept": 0, "reason": "lines"}]
    assert (await cart(alice))[skus[0]] == 7


async def test_the_same_line_at_once_is_one_line(alice: Person, shelf: Shelf) -> None:
    (red,) = await shelf()
    numbers = itertools.count(1)
    path = f"/api/v1/cart/lines/{red}"

    async def act() -> int:
        number = next(numbers)
        if number % 4 == 0:
            return (await alice.client.delete(path)).status_code
        if number % 4 == 1:
            guest = {"lines": [{"sku_id": red, "quantity": number}]}
            return (await alice.client.post("/api/v1/cart/merge", json=guest)).status_code
        return (await alice.client.put(path, json={"quantity": number})).status_code

    answers = await contend(24, act)
    assert set(answers.results) == {200, 204}
    assert answers.errors == []
    await put(alice, red, 7)
    assert await cart(alice) == {red: 7}


async def test_what_was_bought_leaves_the_cart_while_it_is_changed(
    app: Application, alice: Person, shelf: Shelf
) -> None:
    (red, green) = await shelf(2)
    await put(alice, red, 1)
    await put(alice, green, 1)

    async def buy() -> None:
        with app.resources.context("test"):
            async with unit_of_work() as work:
                await service.take_out(work.session, alice.id, [red, "nothing"])

    with race.before("xumi.modules.shop.cart.service._lock_lines", buy):
        await put(alice, red, 3)
    assert await cart(alice) == {red: 3, green: 1}
    await buy()
    assert await cart(alice) == {green: 1}

"""Favourites are kept once, shown as the products are now, and are their customer's own."""

import httpx
import pytest

from tests.modules.account.conftest import Person, SignIn
from tests.modules.shop.catalog.conftest import Make, send
from xumi.kernel.testing.contention import contend
from xumi.modules.shop.favourite import service


@pytest.fixture
async def alice(sign_up: SignIn) -> Person:
    """A customer."""
    return await sign_up("alice")


async def liked(person: Person) -> list[str]:
    """The ids of somebody's favourites, as they are listed."""
    page = await send(person.client, "GET", "/favourites?size=100")
    return [item["product_id"] for item in page["items"]]


async def test_they_are_listed_as_they_are_now(
    alice: Person, admin: httpx.AsyncClient, sign_up: SignIn, make: Make
) -> None:
    bob = await sign_up("bob")
    cup, pot = await make(pictures=["/files/cup.webp"]), await make()
    for product in (cup, pot, cup):
        await send(alice.client, "PUT", f"/favourites/{product}", None, 204)
    await send(admin, "PUT", f"/shop/products/{cup}/state", {"state": "off"}, 204)
    page = await send(alice.client, "GET", "/favourites?size=1")
    assert [(item["product_id"], item["on_sale"]) for item in page["items"]] == [(pot, True)]
    page = await send(alice.client, "GET", f"/favourites?size=1&after={page['next']}")
    (item,) = page["items"]
    assert item.pop("created_at").endswith("Z")
    assert item == {
        "product_id": cup,
        "name": "Cup 1",
        "picture": "/files/cup.webp",
        "price_fen": 1001,
        "on_sale": False,
    }
    assert page.get("next") is None
    # What is off can stay a favourite, and cannot become one.
    await send(alice.client, "PUT", f"/favourites/{cup}", None, 204)
    await send(bob.client, "PUT", f"/favourites/{pot}", None, 204)
    assert (await bob.client.put(f"/api/v1/favourites/{cup}")).status_code == 404
    assert (await bob.client.put("/api/v1/favourites/nothing")).status_code == 404
    for _ in range(2):
        await send(alice.client, "DELETE", f"/favourites/{pot}", None, 204)
    assert (await liked(alice), await liked(bob)) == ([cup], [pot])


async def test_the_limit_holds_for_many_at_once(
    alice: Person, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_FAVOURITES", 2)
    products = [await make() for _ in range(4)]
    waiting = iter(products * 2)
    outcomes = await contend(8, lambda: alice.client.put(f"/api/v1/favourites/{next(waiting)}"))
    answers: list[httpx.Response] = outcomes.results
    assert {answer.status_code for answer in answers} == {204, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {40974}
    assert len(await liked(alice)) == 2

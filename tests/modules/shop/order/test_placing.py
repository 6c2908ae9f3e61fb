"""Placing orders, and how they end without being paid."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from tests.modules.shop.order.conftest import Shop
from xumi.kernel import clock
from xumi.kernel.events.outbox import outbox
from xumi.kernel.testing import race
from xumi.kernel.testing.contention import contend
from xumi.modules.shop.order import service as orders
from xumi.modules.shop.order.models import Order, OrderChange, Purchase

pytestmark = pytest.mark.anyio
ORDERS = "/api/v1/orders"


def basket(address: str, *lines: tuple[str, int, int], **more: object) -> dict[str, Any]:
    """The body of an order: SKU, pieces and price of each line."""
    names = ("sku_id", "quantity", "price_fen")
    return {"address_id": address, "lines": [dict(zip(names, line, strict=True)) for line in lines]} | more


async def test_an_order_from_preview_to_cancellation(
    shop: Shop, user: httpx.AsyncClient, address: str
) -> None:
    cup, pot = await shop.make_sku(5, 1000), await shop.make_sku(3, 2500)
    wanted = [{"sku_id": cup, "quantity": 2}, {"sku_id": pot, "quantity": 1}]
    body = {"address_id": address, "lines": wanted}
    preview = (await user.post(f"{ORDERS}/preview", json=body)).json()["data"]
    assert (preview["goods_fen"], preview["freight_fen"], preview["total_fen"]) == (4500, 1000, 5500)
    assert preview["orderable"]
    assert [line["available"] for line in preview["lines"]] == [5, 3]
    assert await shop.stock_of(cup) == (5, 0, 0)

    answer = await user.post(ORDERS, json=basket(address, (cup, 2, 1000), (pot, 1, 2500), note="Ring"))
    assert answer.status_code == 201, answer.text
    number = answer.json()["data"]["number"]
    assert answer.json()["data"]["total_fen"] == 5500
    assert await shop.stock_of(cup) == (3, 2, 0)

    found = (await user.get(f"{ORDERS}/{number}")).json()["data"]
    assert found["state"] == "unpaid"
    assert found["address"]["city"] == "杭州市"
    assert found["note"] == "Ring"
    assert [(line["sku_code"], line["total_fen"]) for line in found["lines"]] == [("s1", 2000), ("s2", 2500)]
    listed = (await user.get(ORDERS, params={"state": "unpaid"})).json()["data"]["items"]
    assert [(each["number"], each["pieces"], each["name"]) for each in listed] == [(number, 3, "Cup 1")]

    assert (await user.post(f"{ORDERS}/{number}/cancel", json={"reason": "No"})).status_code == 204
    assert await shop.stock_of(cup) == (5, 0, 0)
    again = await user.post(f"{ORDERS}/{number}/cancel", json={})
    assert (again.status_code, again.json()["code"]) == (409, 40995)
    steps = select(func.count()).select_from(OrderChange)
    assert await shop.value(steps) == 2
    names = await shop.run(lambda session: session.scalars(select(outbox.c.name).order_by(outbox.c.id)))
    assert [name for name in names if name.startswith("order.")] == ["order.placed", "order.cancelled"]


async def test_what_the_customer_has_not_seen_so_is_refused(
    shop: Shop, user: httpx.AsyncClient, address: str
) -> None:
    cup, pot = await shop.make_sku(2, 1000), await shop.make_sku(3, 2500)
    changed = await user.post(ORDERS, json=basket(address, (cup, 1, 1000), (pot, 1, 2400)))
    assert (changed.status_code, changed.json()["code"]) == (409, 40992)
    assert changed.json()["errors"] == [{"field": "lines.1.price_fen", "reason": "s2 costs 2500 fen now"}]
    short = await user.post(ORDERS, json=basket(address, (pot, 1, 2500), (cup, 3, 1000)))
    assert (short.status_code, short.json()["code"]) == (409, 40980)
    assert short.json()["errors"] == [{"field": "lines.1.quantity", "reason": "s1: 2 left"}]
    gone = await user.post(ORDERS, json=basket(address, (pot, 1, 2500), ("nothing", 1, 1)))
    assert (gone.status_code, gone.json()["errors"][0]["field"]) == (409, "lines.1.sku_id")
    twice = await user.post(ORDERS, json=basket(address, (pot, 1, 2500), (pot, 1, 2500)))
    assert twice.status_code == 422
    assert (await user.post(ORDERS, json=basket("nowhere", (pot, 1, 2500)))).status_code == 404
    assert await shop.stock_of(pot) == (3, 0, 0)
    assert await shop.value(select(func.count()).select_from(Order)) == 0


async def test_a_limit_for_each_customer(shop: Shop, user: httpx.AsyncClient, address: str) -> None:
    cup = await shop.make_sku(9, 1000, limit_per_user=3)
    first = await user.post(ORDERS, json=basket(address, (cup, 2, 1000)))
    assert first.status_code == 201
    over = await user.post(ORDERS, json=basket(address, (cup, 2, 1000)))
    assert (over.status_code, over.json()["code"]) == (409, 40994)
    assert over.json()["errors"][0]["field"] == "lines.0.quantity"
    number = first.json()["data"]["number"]
    assert (await user.post(f"{ORDERS}/{number}/cancel", json={})).status_code == 204
    assert await shop.value(select(Purchase.quantity)) == 0
    outcomes = await contend(6, lambda: user.post(ORDERS, json=basket(address, (cup, 1, 1000))))
    assert sorted(answer.status_code for answer in outcomes.results) == [201] * 3 + [409] * 3
    assert await shop.stock_of(cup) == (6, 3, 0)


async def test_the_last_pieces_are_sold_once(shop: Shop, user: httpx.AsyncClient, address: str) -> None:
    cup, pot = await shop.make_sku(4), await shop.make_sku(4)
    turns = iter(range(12))

    async def buy() -> httpx.Response:
        lines = [(cup, 1, 1000), (pot, 1, 1000)]
        return await user.post(ORDERS, json=basket(address, *(lines if next(turns) % 2 else lines[::-1])))

    outcomes = await contend(12, buy)
    assert sorted(answer.status_code for answer in outcomes.results) == [201] * 4 + [409] * 8
    assert await shop.stock_of(cup) == await shop.stock_of(pot) == (0, 4, 0)


@pytest.mark.databases("postgresql")
async def test_what_is_given_back_in_the_last_moment_is_sold(
    shop: Shop, user: httpx.AsyncClient, address: str
) -> None:
    cup = await shop.make_sku(1)
    order = basket(address, (cup, 1, 1000))
    number = (await user.post(ORDERS, json=order)).json()["data"]["number"]

    async def cancel() -> None:
        answer = await user.post(f"{ORDERS}/{number}/cancel", json={"reason": "too late"})
        assert answer.status_code == 204

    # Between the change that was refused and the look at what is left.
    with race.before("xumi.modules.shop.stock.service.ledger._lock", cancel):
        assert (await user.post(ORDERS, json=order)).status_code == 201
    assert await shop.stock_of(cup) == (0, 1, 0)


async def test_what_is_not_paid_in_time_is_closed(shop: Shop, user: httpx.AsyncClient, address: str) -> None:
    cup = await shop.make_sku(4)
    placed = (await user.post(ORDERS, json=basket(address, (cup, 1, 1000)))).json()["data"]
    order_id = await shop.value(select(Order.id))
    assert await shop.run(lambda session: orders.expire(session, order_id)) is False
    late = update(Order).values(expires_at=clock.now() - timedelta(seconds=1))
    await shop.run(lambda session: session.execute(late))
    assert await shop.run(lambda session: orders.expire(session, order_id)) is True
    assert await shop.run(lambda session: orders.expire(session, order_id)) is False
    assert await shop.run(lambda session: orders.pay(session, order_id)) is False
    assert await shop.stock_of(cup) == (4, 0, 0)
    found = (await user.get(f"{ORDERS}/{placed['number']}")).json()["data"]
    assert found["state"] == "closed"
    assert found["ended_at"] is not None


async def test_paying_and_expiring_have_one_winner(shop: Shop, user: httpx.AsyncClient, address: str) -> None:
    cup = await shop.make_sku(50)
    for _ in range(5):
        await user.post(ORDERS, json=basket(address, (cup, 1, 1000)))
    late = update(Order).values(expires_at=clock.now() - timedelta(seconds=1))
    await shop.run(lambda session: session.execute(late))
    ids = list(await shop.run(lambda session: session.scalars(select(Order.id))))
    ways = [(way, each) for each in ids for way in (orders.pay, orders.expire, orders.pay)]

    async def attempt() -> bool:
        way, each = ways.pop()
        return bool(await shop.run(lambda session: way(session, each)))

    outcomes = await contend(len(ways), attempt)
    assert not outcomes.errors
    assert sum(outcomes.results) == 5
    paid = await shop.value(select(func.count()).select_from(Order).where(Order.state == "paid"))
    assert await shop.stock_of(cup) == (50 - paid, 0, paid)


async def test_orders_of_others_are_not_there(
    shop: Shop, user: httpx.AsyncClient, admin: httpx.AsyncClient, address: str
) -> None:
    cup = await shop.make_sku(4)
    placed = (await user.post(ORDERS, json=basket(address, (cup, 1, 1000)))).json()["data"]
    assert (await admin.get(f"{ORDERS}/{placed['number']}")).status_code == 404
    assert (await admin.post(f"{ORDERS}/{placed['number']}/cancel", json={})).status_code == 404
    assert (await admin.get(ORDERS)).json()["data"]["items"] == []


async def test_the_same_key_places_one_order(shop: Shop, user: httpx.AsyncClient, address: str) -> None:
    cup = await shop.make_sku(4)
    body, headers = basket(address, (cup, 1, 1000)), {"Idempotency-Key": "one"}
    outcomes = await contend(5, lambda: user.post(ORDERS, json=body, headers=headers))
    created = {answer.text for answer in outcomes.results if answer.status_code == 201}
    assert len(created) == 1
    assert await shop.stock_of(cup) == (3, 1, 0)

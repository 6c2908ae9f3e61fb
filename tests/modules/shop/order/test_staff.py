"""Orders as the staff handles them: found, shipped, completed, cancelled, noted."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from tests.modules.shop.order.conftest import Shop
from xumi.kernel import clock
from xumi.kernel.jobs.models import JobRow
from xumi.kernel.testing.contention import contend
from xumi.modules.shop.order.models import Order, OrderLine
from xumi.modules.shop.order.service import shipment

pytestmark = pytest.mark.anyio
STAFF = "/api/v1/shop/orders"


async def place(user: httpx.AsyncClient, address: str, **wanted: int) -> str:
    """Order pieces by SKU, at 1000 fen each; returns the number."""
    lines = [{"sku_id": sku, "quantity": pieces, "price_fen": 1000} for sku, pieces in wanted.items()]
    answer = await user.post("/api/v1/orders", json={"address_id": address, "lines": lines})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["number"])


async def pay(admin: httpx.AsyncClient, number: str) -> None:
    """Pay an order in full."""
    order = await read(admin, number)
    body = {"reference": number, "amount_fen": order["total_fen"]}
    answer = await admin.post(f"{STAFF}/{number}/pay-offline", json=body)
    assert answer.json()["data"] == {"state": "paid"}, answer.text


async def read(admin: httpx.AsyncClient, number: str) -> dict[str, Any]:
    """An order with all that belongs to it."""
    return dict((await admin.get(f"{STAFF}/{number}")).json()["data"])


async def ship(admin: httpx.AsyncClient, number: str, tracking: str, **packed: int) -> httpx.Response:
    """Send a parcel, with all that waits if no SKUs are named."""
    lines = [{"sku_id": sku, "quantity": pieces} for sku, pieces in packed.items()]
    body = {"carrier": "SF", "tracking_number": tracking, "lines": lines or None}
    return await admin.post(f"{STAFF}/{number}/ship", json=body)


def refusal(answer: httpx.Response) -> tuple[int, list[str]]:
    """Status and fields of a refusal."""
    return answer.status_code, [error["field"] for error in answer.json()["errors"]]


async def test_an_order_goes_out_in_two_parcels(
    shop: Shop, user: httpx.AsyncClient, admin: httpx.AsyncClient, address: str
) -> None:
    cup, pot = await shop.make_sku(), await shop.make_sku()
    number = await place(user, address, **{cup: 2, pot: 1})
    assert (await ship(admin, number, "1")).json()["code"] == 40995
    await pay(admin, number)

    assert refusal(await ship(admin, number, "1", nothing=1)) == (422, ["lines.0.sku_id"])
    assert refusal(await ship(admin, number, "1", **{pot: 1, cup: 3})) == (422, ["lines.1.quantity"])
    assert (await ship(admin, number, "1", **{cup: 1})).status_code == 201
    order = await read(admin, number)
    assert (order["state"], [line["shipped"] for line in order["lines"]]) == ("paid", [1, 0])
    assert refusal(await ship(admin, number, "2", **{cup: 2})) == (422, ["lines.0.quantity"])
    assert (await ship(admin, number, "1")).json()["code"] == 40901
    partly = await admin.post(f"{STAFF}/{number}/cancel", json={"reason": "No"})
    assert (partly.status_code, partly.json()["code"]) == (409, 40995)
    assert (await user.post(f"/api/v1/orders/{number}/confirm")).status_code == 409

    assert (await ship(admin, number, "2")).status_code == 201
    order = await read(admin, number)
    assert (order["state"], [line["shipped"] for line in order["lines"]]) == ("shipped", [2, 1])
    assert [each["tracking_number"] for each in order["shipments"]] == ["1", "2"]
    assert (await ship(admin, number, "3")).json()["code"] == 40995

    assert (await user.post(f"/api/v1/orders/{number}/confirm")).status_code == 204
    order = await read(admin, number)
    moves = [(change["before"], change["after"]) for change in order["changes"]]
    assert moves == [(None, "unpaid"), ("unpaid", "paid"), ("paid", "shipped"), ("shipped", "completed")]
    customer = order["user_id"]
    actors = [change["actor_id"] == customer for change in order["changes"]]
    assert actors == [True, False, False, True]
    assert await shop.stock_of(cup) == (3, 0, 2)


async def test_an_order_is_shipped_once(
    shop: Shop, user: httpx.AsyncClient, admin: httpx.AsyncClient, address: str
) -> None:
    cup = await shop.make_sku()
    number = await place(user, address, **{cup: 3})
    await pay(admin, number)
    parcels = iter(range(4))
    outcomes = await contend(4, lambda: ship(admin, number, str(next(parcels)), **{cup: 2}))
    assert outcomes.errors == []
    assert sorted(answer.status_code for answer in outcomes.results) == [201, 422, 422, 422]
    assert (await read(admin, number))["lines"][0]["shipped"] == 2


async def test_an_order_is_completed_long_after_it_was_shipped(
    shop: Shop, user: httpx.AsyncClient, admin: httpx.AsyncClient, address: str
) -> None:
    cup = await shop.make_sku()
    old, new = await place(user, address, **{cup: 1}), await place(user, address, **{cup: 1})
    for number in (old, new):
        await pay(admin, number)
        await ship(admin, number, number)
    past = clock.now() - timedelta(days=15)
    await shop.run(lambda s: s.execute(update(Order).where(Order.number == old).values(shipped_at=past)))
    assert await shop.run(shipment.complete_shipped) == 1
    assert await shop.value(select(JobRow.name).where(JobRow.name == "order.complete")) is not None
    ids = [await shop.value(select(Order.id).where(Order.number == number)) for number in (old, old, new)]
    ended = [await shop.run(lambda s, id=id: shipment.complete_order(s, order_id=id)) for id in ids]
    assert ended == [True, False, False]
    change = (await read(admin, old))["changes"][-1]
    assert (change["after"], change["actor_id"]) == ("completed", None)
    assert await shop.run(shipment.complete_shipped) == 0


async def test_orders_are_found(
    shop: Shop, user: httpx.AsyncClient, admin: httpx.AsyncClient, address: str
) -> None:
    cup = await shop.make_sku(9)
    small, large = await place(user, address, **{cup: 1}), await place(user, address, **{cup: 5})
    await pay(admin, small)
    customer = (await read(admin, small))["user_id"]
    now = clock.now()
    soon = (now + timedelta(hours=1)).isoformat()

    async def find(**query: str) -> list[str]:
        answer = await admin.get(STAFF, params=query)
        assert answer.status_code == 200, answer.text
        return [each["number"] for each in answer.json()["data"]["items"]]

    assert await find() == [large, small]
    assert await find(sort="total_fen") == [small, large]
    assert await find(number=small) == await find(state="paid") == await find(total_fen="..1800") == [small]
    assert await find(user_id=customer, total_fen="1801..") == [large]
    assert await find(user_id="nobody") == await find(created_at=f"{soon}..") == []
    assert await find(created_at=f"..{soon}") == [large, small]
    file = await admin.get(STAFF, params={"export": "csv", "sort": "total_fen"})
    rows = file.text.lstrip("\ufeff").splitlines()
    assert rows[0].startswith("number,user_id,department_id,state,goods_fen")
    assert [row.split(",")[0] for row in rows[1:]] == [small, large]


async def test_orders_are_noted_and_given_to_a_department(
    shop: Shop, user: httpx.AsyncClient, admin: httpx.AsyncClient, address: str
) -> None:
    number = await place(user, address, **{await shop.make_sku(): 1})
    path = f"{STAFF}/{number}"
    assert (await admin.put(f"{path}/remark", json={"remark": "Pack it well"})).status_code == 204
    made = await admin.post("/api/v1/departments", json={"code": "east", "name": "East"})
    department = made.json()["data"]
    assert (await admin.put(f"{path}/department", json={"department_id": department})).status_code == 204
    order = await read(admin, number)
    assert (order["remark"], order["department_id"]) == ("Pack it well", department)
    strange = await admin.put(f"{path}/department", json={"department_id": "nothing"})
    assert refusal(strange) == (422, ["department_id"])
    assert (await admin.get(STAFF, params={"department_id": department})).json()["data"]["total"] == 1
    audit = (await admin.get("/api/v1/audit", params={"subject": f"order:{number}"})).json()["data"]["items"]
    assert [entry["action"] for entry in audit] == ["order.assigned", "order.remarked"]
    for answer in (
        await admin.get(f"{STAFF}/1"),
        await admin.put(f"{STAFF}/1/remark", json={"remark": None}),
        await admin.put(f"{STAFF}/1/department", json={"department_id": None}),
        await admin.post(f"{STAFF}/1/cancel", json={"reason": "No"}),
        await ship(admin, "1", "1"),
    ):
        assert answer.status_code == 404
    assert (await user.get(path)).status_code == 403


async def test_a_cancelled_order_gives_its_pieces_back(
    shop: Shop, user: httpx.AsyncClient, admin: httpx.AsyncClient, address: str
) -> None:
    cup = await shop.make_sku(5)
    paid, unpaid = await place(user, address, **{cup: 2}), await place(user, address, **{cup: 1})
    await pay(admin, paid)
    assert await shop.stock_of(cup) == (2, 1, 2)
    for number in (paid, unpaid):
        answer = await admin.post(f"{STAFF}/{number}/cancel", json={"reason": "Broken"})
        assert answer.status_code == 204, answer.text
        change = (await read(admin, number))["changes"][-1]
        assert (change["after"], change["reason"]) == ("cancelled", "Broken")
    assert await shop.stock_of(cup) == (5, 0, 0)
    assert await shop.value(select(OrderLine.shipped).limit(1)) == 0

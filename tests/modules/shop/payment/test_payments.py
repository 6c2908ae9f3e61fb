"""Payments: money that pays an order, and money that came too late."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from tests.conftest import PASSWORD, sign_in
from tests.modules.shop.order.conftest import Shop
from tests.modules.shop.payment.conftest import Place
from xumi.api import Application
from xumi.kernel import clock
from xumi.kernel.db.session import retry_on_conflict
from xumi.kernel.errors import APIException
from xumi.kernel.testing.client import open_client
from xumi.kernel.testing.contention import contend
from xumi.modules.shop.order import service as orders
from xumi.modules.shop.order.models import Order
from xumi.modules.shop.payment import service as payments
from xumi.modules.shop.payment.enums import PaymentState
from xumi.modules.shop.payment.errors import PaymentCode

pytestmark = pytest.mark.anyio
TOTAL = 2900

Deliver = Callable[[], Awaitable[None]]


async def begin(user: httpx.AsyncClient, number: str) -> dict[str, Any]:
    """Begin to pay."""
    answer = await user.post(f"/api/v1/orders/{number}/payments", json={"provider": "offline"})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


async def receive(admin: httpx.AsyncClient, number: str, reference: str, fen: int = TOTAL) -> httpx.Response:
    """The staff say that money is there."""
    body = {"reference": reference, "amount_fen": fen}
    return await admin.post(f"/api/v1/shop/orders/{number}/pay-offline", json=body)


async def settle(app: Application, payment_id: str, reference: str) -> PaymentState:
    """A provider says it."""
    with app.resources.context("test"):
        return await retry_on_conflict(
            lambda s: payments.settle(s, payment_id, reference, TOTAL), app.resources
        )


async def state_of(admin: httpx.AsyncClient, number: str) -> str:
    """The order's state."""
    return str((await admin.get(f"/api/v1/shop/orders/{number}")).json()["data"]["state"])


async def payments_of(admin: httpx.AsyncClient, number: str) -> list[tuple[str, str | None]]:
    """State and reference of an order's payments, sorted."""
    found = (await admin.get(f"/api/v1/shop/orders/{number}/payments")).json()["data"]
    return sorted((each["state"], each["reference"]) for each in found)


async def refunds(admin: httpx.AsyncClient, **query: str) -> list[tuple[str, int, str]]:
    """Order, amount and state of the refunds."""
    found = (await admin.get("/api/v1/shop/refunds", params=query)).json()["data"]["items"]
    return [(each["number"], each["amount_fen"], each["state"]) for each in found]


async def let_pass(shop: Shop, number: str) -> str:
    """The time to pay an order is over; returns its id."""
    past = clock.now() - timedelta(seconds=1)
    await shop.run(lambda s: s.execute(update(Order).where(Order.number == number).values(expires_at=past)))
    return str(await shop.value(select(Order.id).where(Order.number == number)))


async def expire(shop: Shop, number: str) -> None:
    """Close an order that nobody has paid."""
    order_id = await let_pass(shop, number)
    assert await shop.run(lambda session: orders.expire(session, order_id))


async def test_an_order_is_paid_once(user: httpx.AsyncClient, admin: httpx.AsyncClient, place: Place) -> None:
    number, other = await place(), await place()
    begun = await begin(user, number)
    assert begun == {
        "id": begun["id"],
        "provider": "offline",
        "state": "pending",
        "amount_fen": TOTAL,
        "client": {},
    }
    assert (await begin(user, number))["id"] == begun["id"]

    less = await receive(admin, number, "R-1", TOTAL - 1)
    assert (less.status_code, less.json()["code"]) == (409, 40976)
    assert less.json()["errors"] == [{"field": "amount_fen", "reason": f"must be {TOTAL}"}]
    assert await state_of(admin, number) == "unpaid"

    for _ in range(2):
        paid = await receive(admin, number, "R-1")
        assert (paid.status_code, paid.json()["data"]) == (200, {"state": "paid"})
    assert await state_of(admin, number) == "paid"
    assert await payments_of(admin, number) == [("paid", "R-1")]

    taken = await receive(admin, other, "R-1")
    assert (taken.status_code, taken.json()["code"]) == (409, 40977)
    late = await user.post(f"/api/v1/orders/{number}/payments", json={"provider": "offline"})
    assert (late.status_code, late.json()["code"]) == (409, 40995)
    mine = (await user.get(f"/api/v1/orders/{number}/payments")).json()["data"]
    assert [(each["id"], each["state"]) for each in mine] == [(begun["id"], "paid")]
    assert await refunds(admin) == []


async def test_only_known_providers_and_own_orders(
    user: httpx.AsyncClient, admin: httpx.AsyncClient, place: Place
) -> None:
    number = await place()
    path = f"/api/v1/orders/{number}/payments"
    unknown = await user.post(path, json={"provider": "gold"})
    assert unknown.status_code == 422
    assert unknown.json()["errors"] == [{"field": "provider", "reason": "must be one of offline"}]
    assert (await admin.post(path, json={"provider": "offline"})).status_code == 404
    assert (await admin.get(path)).status_code == 404
    assert (await receive(user, number, "R-1")).status_code == 403


async def test_money_after_expiry_goes_back_once(
    app: Application,
    shop: Shop,
    user: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    place: Place,
    deliver: Deliver,
) -> None:
    number = await place()
    begun = await begin(user, number)
    await expire(shop, number)
    await deliver()
    assert await payments_of(admin, number) == [("closed", None)]
    for _ in range(2):
        assert await settle(app, begun["id"], "R-1") is PaymentState.LATE
    assert await state_of(admin, number) == "closed"
    assert await payments_of(admin, number) == [("late", "R-1")]
    assert await refunds(admin) == [(number, TOTAL, "due")]
    # By hand as well, where there is no payment that waits.
    assert (await receive(admin, number, "R-2")).json()["data"] == {"state": "late"}
    assert await refunds(admin, number=number, state="due") == [(number, TOTAL, "due")] * 2
    assert await refunds(admin, state="done") == []


async def test_money_that_comes_twice_goes_back_once(
    app: Application, user: httpx.AsyncClient, admin: httpx.AsyncClient, place: Place
) -> None:
    number = await place()
    begun = await begin(user, number)
    assert await settle(app, begun["id"], "R-1") is PaymentState.PAID
    for _ in range(2):
        assert await settle(app, begun["id"], "R-2") is PaymentState.LATE
        assert await settle(app, begun["id"], "R-1") is PaymentState.PAID
    assert await payments_of(admin, number) == [("late", "R-2"), ("paid", "R-1")]
    assert await refunds(admin) == [(number, TOTAL, "due")]


async def test_a_paid_order_that_is_cancelled_is_refunded_once(
    user: httpx.AsyncClient, admin: httpx.AsyncClient, place: Place, deliver: Deliver
) -> None:
    number = await place()
    await receive(admin, number, "R-1")
    assert (await user.post(f"/api/v1/orders/{number}/cancel", json={})).status_code == 409
    path = f"/api/v1/shop/orders/{number}/cancel"
    assert (await admin.post(path, json={"reason": "Broken"})).status_code == 204
    assert (await admin.post(path, json={"reason": "Broken"})).status_code == 409
    await deliver()
    assert await payments_of(admin, number) == [("paid", "R-1")]
    assert await refunds(admin) == [(number, TOTAL, "due")]


async def test_an_unpaid_order_that_is_cancelled_owes_nothing(
    user: httpx.AsyncClient, admin: httpx.AsyncClient, place: Place, deliver: Deliver
) -> None:
    number = await place()
    await begin(user, number)
    assert (
        await admin.post(f"/api/v1/shop/orders/{number}/cancel", json={"reason": "No"})
    ).status_code == 204
    await deliver()
    assert await payments_of(admin, number) == [("closed", None)]
    assert await refunds(admin) == []


async def test_an_order_that_costs_nothing_is_paid_at_once(
    shop: Shop, user: httpx.AsyncClient, admin: httpx.AsyncClient, address: str
) -> None:
    async def give_away(_: object, __: str, lines: Any) -> int:
        return sum(line.goods_fen for line in lines)

    orders.register(give_away)
    try:
        sku = await shop.make_sku(5, 1000, freight_template_id=None)
        line = {"sku_id": sku, "quantity": 1, "price_fen": 1000}
        answer = await user.post("/api/v1/orders", json={"address_id": address, "lines": [line]})
    finally:
        orders.unregister(give_away)
    number = answer.json()["data"]["number"]
    assert (await begin(user, number))["state"] == "paid"
    assert await state_of(admin, number) == "paid"
    again = await receive(admin, number, "R-1", 0)
    assert again.json()["data"] == {"state": "closed"}
    assert await refunds(admin) == []


async def test_a_payment_that_nobody_knows_and_a_wrong_amount_are_refused(
    app: Application, user: httpx.AsyncClient, place: Place
) -> None:
    with pytest.raises(APIException, match="40400"):
        await settle(app, "nothing", "R-1")
    begun = await begin(user, await place(1))
    with pytest.raises(APIException) as refused:
        await settle(app, begun["id"], "R-1")
    assert refused.value.code is PaymentCode.AMOUNT_DIFFERS


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_payment_and_expiry_have_one_winner(
    app: Application, shop: Shop, user: httpx.AsyncClient, admin: httpx.AsyncClient, place: Place
) -> None:
    for attempt in range(3):
        number = await place()
        begun = await begin(user, number)
        order_id = await let_pass(shop, number)
        calls = iter(range(4))

        async def race(order_id: str = order_id, payment_id: str = begun["id"], n: int = attempt) -> object:
            if next(calls) % 2:  # noqa: B023
                return await settle(app, payment_id, f"R-{n}")
            return await shop.run(lambda session: orders.expire(session, order_id))

        outcomes = await contend(4, race)
        assert outcomes.errors == []
        closed = outcomes.results.count(True)
        came = [each for each in outcomes.results if isinstance(each, PaymentState)]
        assert came == [PaymentState.LATE if closed else PaymentState.PAID] * 2
        assert closed <= 1
        assert await state_of(admin, number) == ("closed" if closed else "paid")
        owed = await refunds(admin, number=number)
        assert owed == ([(number, TOTAL, "due")] if closed else [])


async def test_of_many_transfers_one_pays(
    app: Application, user: httpx.AsyncClient, admin: httpx.AsyncClient, place: Place
) -> None:
    number = await place()
    begun = await begin(user, number)
    references = iter(["R-1", "R-2", "R-3", "R-1"])
    outcomes = await contend(4, lambda: settle(app, begun["id"], next(references)))
    assert outcomes.errors == []
    states = [state for state, _ in await payments_of(admin, number)]
    assert states == ["late", "late", "paid"]
    assert await refunds(admin) == [(number, TOTAL, "due")] * 2


async def test_the_staff_see_the_money_of_the_orders_that_they_reach(
    app: Application, user: httpx.AsyncClient, admin: httpx.AsyncClient, place: Place
) -> None:
    number, other = await place(), await place()
    for at, each in enumerate((number, other)):
        await receive(admin, each, f"R-{at}")
        await receive(admin, each, f"late-{at}")
    role = {"code": "cashier", "title_en": "Cashier", "title_zh": "出纳"}
    await admin.post("/api/v1/roles", json=role)
    permissions = ["shop-order:list", "shop-payment:list", "refund:list", "order:pay-offline"]
    await admin.put("/api/v1/roles/cashier/permissions", json={"permissions": permissions})
    body = {"username": "cashier", "email": "cashier@example.com", "password": PASSWORD, "roles": ["cashier"]}
    assert (await admin.post("/api/v1/users", json=body)).status_code == 201
    async with open_client(app) as cashier:
        await sign_in(cashier, "cashier")
        assert await refunds(cashier) == []
        assert (await cashier.get(f"/api/v1/shop/orders/{number}/payments")).status_code == 404
        assert (await receive(cashier, number, "R-9")).status_code == 404

        made = await admin.post("/api/v1/departments", json={"code": "east", "name": "East"})
        east = made.json()["data"]
        await admin.put(f"/api/v1/shop/orders/{number}/department", json={"department_id": east})
        rule = {"resource": "order", "kind": "custom", "departments": [east]}
        answer = await admin.put("/api/v1/roles/cashier/scopes", json={"scopes": [rule]})
        assert answer.status_code == 204, answer.text
        assert await refunds(cashier) == [(number, TOTAL, "due")]
        listed = (await cashier.get("/api/v1/shop/orders")).json()["data"]["items"]
        assert [each["number"] for each in listed] == [number]
        assert (await cashier.get(f"/api/v1/shop/orders/{number}/payments")).status_code == 200
        assert (await cashier.get(f"/api/v1/shop/orders/{other}/payments")).status_code == 404
        assert (await receive(cashier, other, "R-9")).status_code == 404

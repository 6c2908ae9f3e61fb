"""The figures are exactly what the orders say: whatever order events come in, however often and by how many they are counted."""

import asyncio
import itertools
import random
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from tests.modules.shop.catalog.conftest import send
from tests.modules.shop.sales.conftest import MIDNIGHT, Sale, Shelf, deliver, sell
from xumi.api import Application
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import APIException
from xumi.kernel.events import relay
from xumi.kernel.events.delivery import DEAD, delivery
from xumi.modules.shop.sales import service
from xumi.modules.shop.sales.models import Customer, DailyProduct, DailySales
from xumi.modules.shop.sales.schemas import Difference
from xumi.modules.shop.sales.service import recounting

SALES = "/shop/sales"
BEFORE, AFTER = MIDNIGHT - timedelta(minutes=1), MIDNIGHT + timedelta(minutes=1)

# Where what is tested does not depend on the database.
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def days(admin: httpx.AsyncClient, query: str = "?from=2026-11-20&to=2026-11-21") -> Any:
    """The figures by day."""
    return await send(admin, "GET", f"{SALES}/daily{query}")


async def recount(app: Application, *, repair: bool = True) -> list[Difference]:
    """Hold the figures against the orders."""
    with app.resources.context("test"):
        return await service.recount(repair=repair)


def day(name: str, *figures: int) -> dict[str, Any]:
    """A day's figures."""
    names = ("placed", "paid", "paid_fen", "ended", "refunded_fen", "new_customers")
    return {"day": name, **dict(zip(names, figures, strict=True))}


async def test_each_order_counts_on_its_days_in_china(
    app: Application, admin: httpx.AsyncClient, shelf: Shelf
) -> None:
    alice, bob, carol = shelf.users
    cups = [(shelf.cup, shelf.red, 2), (shelf.cup, shelf.green, 1), (shelf.pot, shelf.blue, 1)]
    await sell(
        app,
        Sale(alice, cups, BEFORE, paid_at=AFTER),
        Sale(alice, cups[:1], AFTER, paid_at=AFTER),
        Sale(bob, cups[2:], BEFORE, paid_at=BEFORE, cancelled_at=AFTER),
        Sale(carol, cups, BEFORE, cancelled_at=BEFORE),
        Sale(carol, cups, BEFORE, expired_at=AFTER),
    )
    assert await days(admin) == [day("2026-11-20", *[0] * 6), day("2026-11-21", *[0] * 6)]
    await deliver(app)
    assert await days(admin) == [
        day("2026-11-20", 4, 1, 1000, 1, 0, 1),
        day("2026-11-21", 1, 2, 6000, 2, 1000, 1),
    ]
    sellers = await send(admin, "GET", f"{SALES}/best-sellers?from=2026-11-20&to=2026-11-21")
    assert [(item["product_id"], item["name"], item["quantity"], item["fen"]) for item in sellers] == [
        (shelf.cup, "Cup 1", 5, 5000),
        (shelf.pot, "Cup 2", 1, 1000),
    ]
    # On its own the second day took a pot back and sold one.
    sellers = await send(admin, "GET", f"{SALES}/best-sellers?from=2026-11-21&to=2026-11-21&limit=5")
    assert [(item["product_id"], item["quantity"]) for item in sellers] == [(shelf.cup, 5)]
    assert await recount(app) == []


async def test_the_first_event_need_not_be_of_the_first_order(
    app: Application, admin: httpx.AsyncClient, shelf: Shelf
) -> None:
    alice = shelf.users[0]
    later = Sale(alice, [(shelf.pot, shelf.blue, 1)], AFTER, paid_at=AFTER)
    earlier = Sale(alice, [(shelf.pot, shelf.blue, 1)], BEFORE, paid_at=BEFORE)
    await sell(app, later)
    await deliver(app)
    assert [each["new_customers"] for each in await days(admin)] == [0, 1]
    await sell(app, earlier)
    await deliver(app)
    assert [each["new_customers"] for each in await days(admin)] == [1, 0]
    assert await recount(app) == []


def make_sales(shelf: Shelf, count: int) -> list[Sale]:
    """Orders with all ends around midnight, always the same."""
    chance = random.Random(20261121)
    found = []
    for _ in range(count):
        lines = chance.sample(
            [(shelf.cup, shelf.red, 1), (shelf.cup, shelf.green, 2), (shelf.pot, shelf.blue, 3)],
            chance.randint(1, 3),
        )
        placed, paid, ended = sorted(MIDNIGHT + timedelta(seconds=chance.randint(-60, 60)) for _ in range(3))
        ends: dict[str, Any] = chance.choice(
            [
                {},
                {"paid_at": paid},
                {"paid_at": paid, "cancelled_at": ended},
                {"cancelled_at": ended},
                {"expired_at": ended},
            ]
        )
        found.append(Sale(chance.choice(shelf.users), lines, placed, **ends))
    return found


async def test_workers_that_count_at_once_count_each_event_once(
    app: Application, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recounting, "RECOUNT_WAIT_SECONDS", 0.5)
    await sell(app, *make_sales(shelf, 30))
    # Where two meet crosswise at midnight the relay tries again later; the recount says when all is counted.
    for _ in range(10):
        await asyncio.gather(*(deliver(app) for _ in range(4)))
        with suppress(APIException):
            assert await recount(app) == []
            return
    raise AssertionError("events are still waiting")


async def test_a_count_that_is_rolled_back_happens_again_once(
    app: Application, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sell(app, *make_sales(shelf, 5))
    real, calls = relay.mark_done, itertools.count()

    async def mark_done(session: Any, consumer: str, positions: Any) -> None:
        await real(session, consumer, positions)
        # The process dies before the commit: what was counted is gone.
        if next(calls) % 2 == 0:
            raise ConnectionError("the database has gone away")

    with monkeypatch.context() as patched:
        patched.setattr(relay, "mark_done", mark_done)
        patched.setattr(relay, "retry_after_seconds", lambda attempts: 0.0)
        for _ in range(10):
            await deliver(app)
    await deliver(app)
    assert await recount(app) == []


async def test_a_recount_repairs_what_differs(
    app: Application, admin: httpx.AsyncClient, shelf: Shelf
) -> None:
    sales = make_sales(shelf, 20)
    await sell(app, *sales)
    await deliver(app)
    right = await days(admin)
    with app.resources.context("test"):
        async with unit_of_work() as work:
            session = work.session
            await session.execute(
                update(DailySales).where(DailySales.placed > 0).values(placed=DailySales.placed + 3)
            )
            await session.execute(update(DailyProduct).values(fen=DailyProduct.fen - 1))
            await session.execute(
                update(Customer).where(Customer.id == shelf.users[0]).values(first_paid_on=MIDNIGHT.date())
            )
            session.add(Customer(id="nobody", first_paid_on=MIDNIGHT.date()))
    found = await recount(app, repair=False)
    assert {difference.figure for difference in found} >= {"2026-11-21 placed", "customer nobody"}
    assert await days(admin) != right
    assert await recount(app) == found
    assert await days(admin) == right
    assert await recount(app) == []


async def test_a_shop_without_figures_gets_them(
    app: Application, admin: httpx.AsyncClient, shelf: Shelf
) -> None:
    await sell(app, *make_sales(shelf, 20), told=False)
    assert await recount(app) != []
    assert sum(each["placed"] for each in await days(admin)) == 20
    assert await recount(app) == []


async def test_a_recount_does_not_count_what_is_on_its_way(
    app: Application, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recounting, "RECOUNT_WAIT_SECONDS", 0.0)
    await sell(app, Sale(shelf.users[0], [(shelf.pot, shelf.blue, 1)], AFTER, paid_at=AFTER))
    with pytest.raises(APIException, match="on their way"):
        await recount(app)
    await deliver(app)
    assert await recount(app) == []
    # An event that was given up may be delivered yet.
    with app.resources.context("test"):
        async with unit_of_work() as work:
            connection = await work.session.connection()
            await connection.execute(update(delivery).values(state=DEAD))
    with pytest.raises(APIException, match="on their way"):
        await recount(app)


@one_database
async def test_a_range_has_limits(app: Application, admin: httpx.AsyncClient) -> None:
    assert len(await days(admin, "?from=2023-12-01&to=2024-11-30")) == 366
    assert len(await days(admin, "")) == 30
    assert (await days(admin, "?from=2026-11-21&to=2026-11-21"))[0]["day"] == "2026-11-21"
    for query, field in (
        ("?from=2026-11-21&to=2026-11-20", "to"),
        ("?from=2023-11-30&to=2024-11-30", "from"),
        ("?to=0001-01-01", "to"),
        ("?from=yesterday", "from"),
    ):
        for path in ("daily", "best-sellers"):
            answer = await admin.get(f"/api/v1{SALES}/{path}{query}")
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)

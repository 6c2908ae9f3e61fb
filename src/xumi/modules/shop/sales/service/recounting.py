"""Holding the figures against the orders, and repairing what differs."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date
from typing import TypeVar

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.db.bulk import upsert
from xumi.kernel.db.session import retry_on_conflict
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.events.delivery import DONE, delivery
from xumi.kernel.events.outbox import outbox
from xumi.modules.shop.order.service.facts import OrderFact, stream_facts
from xumi.modules.shop.sales.constants import RECOUNT_WAIT_SECONDS
from xumi.modules.shop.sales.models import Customer, DailyProduct, DailySales
from xumi.modules.shop.sales.schemas import Difference
from xumi.modules.shop.sales.service.rollup import add_to_day, add_to_products, day_of, sum_lines

_DAY_FIGURES = ("placed", "paid", "paid_fen", "ended", "refunded_fen", "new_customers")
_PRODUCT_FIGURES = ("quantity", "fen", "returned", "returned_fen")
_WAIT_SECONDS = 0.2

K = TypeVar("K", bound=tuple[object, ...])


class Figures:
    """All figures: of days, of products on days, and when each customer paid first."""

    def __init__(self) -> None:
        self.days: Counter[tuple[date, str]] = Counter()
        self.products: Counter[tuple[date, str, str]] = Counter()
        self.first_paid_on: dict[str, date] = {}

    def add(self, order: OrderFact) -> None:
        """Count an order as its events are counted; `new_customers` follow from `first_paid_on`."""
        self.days[day_of(order.created_at), "placed"] += 1
        if order.paid_at is not None:
            day = day_of(order.paid_at)
            self.days[day, "paid"] += 1
            self.days[day, "paid_fen"] += order.total_fen
            self._add_lines(order, day, "quantity", "fen")
            first = self.first_paid_on.get(order.user_id, day)
            self.first_paid_on[order.user_id] = min(first, day)
        if order.ended_at is None:
            return
        day = day_of(order.ended_at)
        self.days[day, "ended"] += 1
        # What was paid and has ended was cancelled: only what nobody paid is closed.
        if order.paid_at is not None:
            self.days[day, "refunded_fen"] += order.total_fen
            self._add_lines(order, day, "returned", "returned_fen")

    def _add_lines(self, order: OrderFact, day: date, quantity: str, fen: str) -> None:
        for product_id, figures in sum_lines(order.lines, quantity, fen).items():
            for name, number in figures.items():
                self.products[day, product_id, name] += number

    def finish(self) -> None:
        """Count the new customers."""
        for day in self.first_paid_on.values():
            self.days[day, "new_customers"] += 1


async def recount(*, repair: bool = True) -> list[Difference]:
    """Compare the figures with the orders, and correct them; the shop may go on selling meanwhile.

    Waits until no event is on its way, for 30 s at most.

    Args:
        repair: False only tells what differs.

    Returns:
        What differed, in its order.

    Raises:
        APIException: CONFLICT, events are still on their way, or were given up (`xumi events dead`): they would be counted twice;
            TRANSACTION_CONFLICT, too much was sold meanwhile: try again.
    """
    end = clock.monotonic() + RECOUNT_WAIT_SECONDS
    while (found := await retry_on_conflict(_attempt(repair))) is None:
        if clock.monotonic() > end:
            raise APIException(
                APICode.CONFLICT,
                "Events are on their way to the figures, or were given up: see `xumi events lag` and `xumi events dead`.",
            )
        await asyncio.sleep(_WAIT_SECONDS)
    return found


def _attempt(repair: bool) -> Callable[[AsyncSession], Awaitable[list[Difference] | None]]:
    async def attempt(session: AsyncSession) -> list[Difference] | None:
        """None where events are on their way."""
        # All that is read is of one moment, at which no order has an event that was not counted. (SQLite has no other way.)
        if session.get_bind().dialect.name != "sqlite":
            _ = await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        if await _has_pending(session):
            return None
        actual, counted = Figures(), await _read(session)
        async for order in stream_facts(session):
            actual.add(order)
        actual.finish()
        differences = _compare(counted, actual)
        if repair:
            await _repair(session, counted, actual)
        return differences

    return attempt


async def _has_pending(session: AsyncSession) -> bool:
    unsorted = select(outbox.c.position).where(~outbox.c.relayed, outbox.c.consumers.contains("sales."))
    waiting = select(delivery.c.position).where(
        delivery.c.consumer.startswith("sales."), delivery.c.state != DONE
    )
    connection = await session.connection()
    return bool(await connection.scalar(select(or_(unsorted.exists(), waiting.exists()))))


async def _read(session: AsyncSession) -> Figures:
    """The figures as they are."""
    figures = Figures()
    for row in await session.scalars(select(DailySales)):
        for name in _DAY_FIGURES:
            figures.days[row.day, name] = getattr(row, name)
    for product in await session.scalars(select(DailyProduct)):
        for name in _PRODUCT_FIGURES:
            figures.products[product.day, product.product_id, name] = getattr(product, name)
    for customer in await session.scalars(select(Customer)):
        figures.first_paid_on[customer.id] = customer.first_paid_on
    session.expunge_all()
    return figures


def _compare(counted: Figures, actual: Figures) -> list[Difference]:
    found = _differ(counted.days, actual.days) + _differ(counted.products, actual.products)
    was, is_ = counted.first_paid_on, actual.first_paid_on
    return found + [
        Difference(f"customer {user_id}", _text(was.get(user_id)), _text(is_.get(user_id)))
        for user_id in sorted(was.keys() | is_.keys())
        if was.get(user_id) != is_.get(user_id)
    ]


def _differ(counted: Counter[K], actual: Counter[K]) -> list[Difference]:
    return [
        Difference(" ".join(map(str, key)), counted[key], actual[key])
        for key in sorted(_changes(counted, actual))
    ]


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


async def _repair(session: AsyncSession, counted: Figures, actual: Figures) -> None:
    """Add what is missing instead of writing what is right: what workers count meanwhile stays."""
    was, is_ = counted.first_paid_on, actual.first_paid_on
    wrong = [{"id": user_id, "first_paid_on": day} for user_id, day in is_.items() if was.get(user_id) != day]
    await upsert(session, Customer, wrong, key=[Customer.id], update=[Customer.first_paid_on])
    for user_id in sorted(was.keys() - is_.keys()):
        await session.execute(delete(Customer).where(Customer.id == user_id))
    days: dict[date, dict[str, int]] = {}
    for (day, name), change in _changes(counted.days, actual.days).items():
        days.setdefault(day, {})[name] = change
    for day in sorted(days):
        await add_to_day(session, day, **days[day])
    products: dict[date, dict[str, dict[str, int]]] = {}
    for (day, product_id, name), change in _changes(counted.products, actual.products).items():
        products.setdefault(day, {}).setdefault(product_id, {})[name] = change
    for day in sorted(products):
        await add_to_day(session, day, placed=0)
        await add_to_products(session, day, products[day])


def _changes(counted: Counter[K], actual: Counter[K]) -> dict[K, int]:
    return {key: change for key in counted.keys() | actual.keys() if (change := actual[key] - counted[key])}

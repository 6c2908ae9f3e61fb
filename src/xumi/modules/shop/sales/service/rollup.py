"""Counting: each event adds to the figures of its day.

The order of locks is the same everywhere: the customer, the days from the first to the last, products by id. So two workers that
count one event each cannot wait for each other. A worker that counts several in one transaction can meet another one crosswise
around midnight; the relay then counts them one by one.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.bulk import upsert
from xumi.modules.shop.order.events import Bought
from xumi.modules.shop.sales.constants import CHINA
from xumi.modules.shop.sales.models import Customer, DailyProduct, DailySales


def day_of(at: datetime) -> date:
    """The day in China that a moment belongs to."""
    return at.astimezone(CHINA).date()


async def add_to_day(session: AsyncSession, day: date, **figures: int) -> None:
    """Add to figures of a day; its row is locked until the transaction ends."""
    values = {name: getattr(DailySales, name) + number for name, number in figures.items()}
    statement = update(DailySales).where(DailySales.day == day).values(values)
    connection = await session.connection()
    if (await connection.execute(statement)).rowcount == 0:
        # The first of the day. Who makes the row at the same time waits here, and then both find it.
        await upsert(session, DailySales, [{"day": day}], key=[DailySales.day], update=[])
        await connection.execute(statement)


async def add_to_products(session: AsyncSession, day: date, figures: Mapping[str, Mapping[str, int]]) -> None:
    """Add to figures of products on a day whose row is locked."""
    connection = await session.connection()
    for product_id in sorted(figures):
        key = (DailyProduct.day == day, DailyProduct.product_id == product_id)
        values = {name: getattr(DailyProduct, name) + number for name, number in figures[product_id].items()}
        statement = update(DailyProduct).where(*key).values(values)
        if (await connection.execute(statement)).rowcount == 0:
            row = {"day": day, "product_id": product_id}
            keys = [DailyProduct.day, DailyProduct.product_id]
            await upsert(session, DailyProduct, [row], key=keys, update=[])
            await connection.execute(statement)


def sum_lines(lines: Iterable[Bought], quantity: str, fen: str) -> dict[str, dict[str, int]]:
    """Pieces and money by product, under these names: an order can have several SKUs of one product."""
    found: dict[str, dict[str, int]] = {}
    for line in lines:
        figures = found.setdefault(line.product_id, {quantity: 0, fen: 0})
        figures[quantity] += line.quantity
        figures[fen] += line.total_fen
    return found


async def note_customer(session: AsyncSession, user_id: str, day: date) -> dict[date, int]:
    """Note that a user has paid an order on a day; returns by how much the new customers of which days change.

    Events of different orders come in any order, so the first that comes need not be the user's first.
    """
    customer = await _find_customer(session, user_id)
    if customer is None:
        try:
            async with session.begin_nested():
                session.add(Customer(id=user_id, first_paid_on=day))
        except IntegrityError:
            # Somebody else was faster, and has committed by now.
            customer = await _find_customer(session, user_id)
            assert customer is not None
        else:
            return {day: 1}
    if customer.first_paid_on <= day:
        return {}
    change = {day: 1, customer.first_paid_on: -1}
    customer.first_paid_on = day
    await session.flush()
    return change


async def _find_customer(session: AsyncSession, user_id: str) -> Customer | None:
    statement = select(Customer).where(Customer.id == user_id).with_for_update()
    return await session.scalar(statement.execution_options(populate_existing=True))

"""What is counted. Each event is counted once: the kernel notes that it was in the transaction that counts it."""

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.events.consumer import consumer
from xumi.modules.shop.order.events import OrderCancelled, OrderExpired, OrderPaid, OrderPlaced
from xumi.modules.shop.sales.service.rollup import (
    add_to_day,
    add_to_products,
    day_of,
    note_customer,
    sum_lines,
)


@consumer(OrderPlaced)
async def count_placed(session: AsyncSession, event: OrderPlaced) -> None:
    """One more order."""
    await add_to_day(session, day_of(event.at), placed=1)


@consumer(OrderPaid)
async def count_paid(session: AsyncSession, event: OrderPaid) -> None:
    """What was sold, and perhaps a new customer."""
    day = day_of(event.at)
    new = await note_customer(session, event.user_id, day)
    for changed in sorted({day, *new}):
        paid = {"paid": 1, "paid_fen": event.total_fen} if changed == day else {}
        await add_to_day(session, changed, new_customers=new.get(changed, 0), **paid)
    await add_to_products(session, day, sum_lines(event.lines, "quantity", "fen"))


@consumer(OrderCancelled)
async def count_cancelled(session: AsyncSession, event: OrderCancelled) -> None:
    """An order less; what was paid goes back."""
    day = day_of(event.at)
    if not event.paid:
        await add_to_day(session, day, ended=1)
        return
    await add_to_day(session, day, ended=1, refunded_fen=event.total_fen)
    await add_to_products(session, day, sum_lines(event.lines, "returned", "returned_fen"))


@consumer(OrderExpired)
async def count_expired(session: AsyncSession, event: OrderExpired) -> None:
    """An order less."""
    await add_to_day(session, day_of(event.at), ended=1)

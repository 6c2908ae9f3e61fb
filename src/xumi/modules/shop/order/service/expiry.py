"""Orders that nobody pays: closed when their time is over, each by a job of its own."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.events.outbox import publish
from xumi.kernel.jobs import job, schedule
from xumi.modules.shop.order.enums import OrderState
from xumi.modules.shop.order.events import OrderExpired
from xumi.modules.shop.order.models import Order
from xumi.modules.shop.order.service import machine
from xumi.modules.shop.order.service.pieces import free_pieces

_SWEEP = 500


async def expire(session: AsyncSession, order_id: str) -> bool:
    """Close an order whose time is over; False where it was paid or ended meanwhile, or still has time."""
    order = await machine.lock_by_id(session, order_id)
    if order is None or order.state is not OrderState.UNPAID or order.expires_at > clock.now():
        return False
    at = machine.move(order, OrderState.CLOSED, "not paid in time")
    await free_pieces(session, order)
    publish(OrderExpired(order_id=order.id, number=order.number, user_id=order.user_id, at=at))
    return True


@job("order.expire", retries=10)
async def expire_order(session: AsyncSession, order_id: str) -> bool:
    """Close an order if it was not paid."""
    return await expire(session, order_id)


async def expire_later(order_id: str, seconds: float) -> None:
    """Have an order closed when its time is over."""
    # A second later: clocks differ, and a job that comes too early does nothing.
    await expire_order.enqueue(order_id=order_id, delay_seconds=seconds + 1)


@schedule(every_seconds=60)
@job("order.sweep")
async def sweep(session: AsyncSession) -> int:
    """Find what the jobs have missed; returns how many orders that was."""
    late = select(Order.id).where(Order.state == OrderState.UNPAID, Order.expires_at < clock.now())
    found = list(await session.scalars(late.order_by(Order.expires_at).limit(_SWEEP)))
    for order_id in found:
        # A transaction for each: what one locks is locked in one order.
        await expire_order.enqueue(order_id=order_id, unique_key=order_id)
    return len(found)

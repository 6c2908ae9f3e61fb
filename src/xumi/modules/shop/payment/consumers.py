"""What becomes of payments when their order ends."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.events.consumer import consumer
from xumi.modules.shop.order import service as orders
from xumi.modules.shop.order.events import OrderCancelled, OrderExpired
from xumi.modules.shop.payment.models import Payment
from xumi.modules.shop.payment.service.refund import owe
from xumi.modules.shop.payment.service.settlement import close_pending


@consumer(OrderCancelled)
async def end_payments_of_cancelled(session: AsyncSession, event: OrderCancelled) -> None:
    """What paid the order has to go back."""
    await orders.lock_by_id(session, event.order_id)
    await close_pending(session, event.order_id)
    if event.paid and event.total_fen > 0:
        settled = select(Payment).where(Payment.order_id == event.order_id, Payment.settled.is_(True))
        owe(session, (await session.scalars(settled)).one(), "the order was cancelled after it was paid")


@consumer(OrderExpired)
async def end_payments_of_expired(session: AsyncSession, event: OrderExpired) -> None:
    """Nobody has to pay any more; money that comes all the same is marked for refund when it comes."""
    await orders.lock_by_id(session, event.order_id)
    await close_pending(session, event.order_id)

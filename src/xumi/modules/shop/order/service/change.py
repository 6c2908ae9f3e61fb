"""What becomes of an order after it was placed: paid, cancelled, completed."""

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.errors import APIException
from xumi.kernel.events.outbox import publish
from xumi.modules.shop.order.enums import OrderState
from xumi.modules.shop.order.errors import OrderCode
from xumi.modules.shop.order.events import OrderCancelled, OrderPaid
from xumi.modules.shop.order.models import Order
from xumi.modules.shop.order.service import machine
from xumi.modules.shop.order.service.pieces import bought, free_pieces, sell_pieces


def check_payable(order: Order) -> None:
    """Refuse to begin a payment of an order that is paid or has ended.

    Raises:
        APIException: WRONG_STATE.
    """
    machine.check_move(order, OrderState.PAID)


async def pay(session: AsyncSession, order_id: str) -> bool:
    """The money for an order is there. False where it cannot be paid any more, or was paid before: the money has to go back.

    Whether it expires or is paid is decided by who locks its row first; until it was closed it can be paid.
    """
    order = await machine.lock_by_id(session, order_id)
    if order is None or order.state is not OrderState.UNPAID:
        return False
    at = machine.move(order, OrderState.PAID)
    lines = await sell_pieces(session, order)
    publish(
        OrderPaid(
            order_id=order.id,
            number=order.number,
            user_id=order.user_id,
            total_fen=order.total_fen,
            lines=bought(lines),
            at=at,
        )
    )
    return True


async def cancel(session: AsyncSession, order: Order, reason: str | None) -> None:
    """Cancel a locked order of which nothing was shipped; one that was paid is to be refunded.

    Raises:
        APIException: WRONG_STATE.
    """
    paid = order.state is OrderState.PAID
    machine.check_move(order, OrderState.CANCELLED)
    lines = await free_pieces(session, order, sold=paid)
    if any(line.shipped for line in lines):
        raise APIException(OrderCode.WRONG_STATE, state="partly shipped")
    at = machine.move(order, OrderState.CANCELLED, reason)
    publish(
        OrderCancelled(
            order_id=order.id,
            number=order.number,
            user_id=order.user_id,
            total_fen=order.total_fen,
            paid=paid,
            lines=bought(lines),
            at=at,
        )
    )


async def cancel_own(session: AsyncSession, user_id: str, number: str, reason: str | None) -> None:
    """A customer cancels an order that he has not paid.

    Raises:
        APIException: NOT_FOUND; WRONG_STATE.
    """
    order = await machine.lock_order(session, number, user_id)
    if order.state is not OrderState.UNPAID:
        raise APIException(OrderCode.WRONG_STATE, state=order.state.value)
    await cancel(session, order, reason)


async def confirm_own(session: AsyncSession, user_id: str, number: str) -> None:
    """A customer says that everything has arrived.

    Raises:
        APIException: NOT_FOUND; WRONG_STATE.
    """
    order = await machine.lock_order(session, number, user_id)
    machine.move(order, OrderState.COMPLETED, "confirmed by the customer")

"""The state machine of orders: one table of moves, and the one function that makes them.

    unpaid ─→ paid ─→ shipped ─→ completed
      │ └────→ cancelled ←─ paid (nothing shipped yet)
      └→ closed (not paid in time)

Whoever moves an order holds its row's lock (`lock_order`), so of two moves that exclude each other one finds the other's state.
"""

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.context import find_actor_id
from xumi.kernel.db.scope import unscoped
from xumi.kernel.db.session import insert_last
from xumi.kernel.errors import APICode, APIException
from xumi.modules.shop.order.enums import OrderState
from xumi.modules.shop.order.errors import OrderCode
from xumi.modules.shop.order.models import Order, OrderChange

MOVES: dict[OrderState, frozenset[OrderState]] = {
    OrderState.UNPAID: frozenset({OrderState.PAID, OrderState.CANCELLED, OrderState.CLOSED}),
    OrderState.PAID: frozenset({OrderState.SHIPPED, OrderState.CANCELLED}),
    OrderState.SHIPPED: frozenset({OrderState.COMPLETED}),
    OrderState.COMPLETED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.CLOSED: frozenset(),
}
_TIMES = {
    OrderState.PAID: "paid_at",
    OrderState.SHIPPED: "shipped_at",
    OrderState.COMPLETED: "completed_at",
    OrderState.CANCELLED: "ended_at",
    OrderState.CLOSED: "ended_at",
}


async def lock_order(session: AsyncSession, number: str, user_id: str | None = None) -> Order:
    """An order, kept from others until the transaction ends.

    Args:
        session: the caller's.
        number: the order's.
        user_id: whose it must be; without one, what the caller's data scope reaches.

    Raises:
        APIException: NOT_FOUND; other people's are not there.
    """
    statement = select(Order).where(Order.number == number)
    if user_id is None:
        order = await session.scalar(_locking(statement))
    else:
        with unscoped():
            order = await session.scalar(_locking(statement.where(Order.user_id == user_id)))
    if order is None:
        raise APIException(APICode.NOT_FOUND)
    return order


async def lock_by_id(session: AsyncSession, order_id: str) -> Order | None:
    """The same by id and whoever's it is: for payments and jobs."""
    with unscoped():
        return await session.scalar(_locking(select(Order).where(Order.id == order_id)))


def _locking(statement: Select[Order]) -> Select[Order]:
    return statement.with_for_update().execution_options(populate_existing=True)


def check_move(order: Order, after: OrderState) -> None:
    """Refuse a move that the table does not have.

    Raises:
        APIException: WRONG_STATE.
    """
    if after not in MOVES[order.state]:
        raise APIException(OrderCode.WRONG_STATE, state=order.state.value)


def move(order: Order, after: OrderState, reason: str | None = None) -> datetime:
    """Bring a locked order into another state, and write down who did it and why; returns when that was.

    Raises:
        APIException: WRONG_STATE.
    """
    check_move(order, after)
    before, order.state = order.state, after
    at = clock.now()
    setattr(order, _TIMES[after], at)
    note(order.id, before, after, reason)
    return at


def note(order_id: str, before: OrderState | None, after: OrderState, reason: str | None = None) -> None:
    """Write down what became of an order."""
    insert_last(
        OrderChange,
        order_id=order_id,
        before=before,
        after=after,
        actor_id=find_actor_id(),
        reason=reason,
    )

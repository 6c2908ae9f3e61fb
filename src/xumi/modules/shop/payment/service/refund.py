"""Money that has to go back. Who sends it, and how, is not decided here."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.context import find_actor_id
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.modules.shop.order.service.joining import ORDERS
from xumi.modules.shop.payment.models import Payment, Refund
from xumi.modules.shop.payment.schemas import RefundListed, RefundQuery

_LISTED = (
    select(
        Refund.id,
        ORDERS.c.number,
        Refund.payment_id,
        Payment.provider,
        Payment.reference,
        Refund.amount_fen,
        Refund.state,
        Refund.reason,
        Refund.created_at,
    )
    .join(Payment, Payment.id == Refund.payment_id)
    .join(ORDERS, ORDERS.c.id == Payment.order_id)
)


def owe(session: AsyncSession, payment: Payment, reason: str) -> None:
    """The whole amount of a payment has to go back; a payment can be refunded once."""
    session.add(
        Refund(
            payment_id=payment.id,
            amount_fen=payment.amount_fen,
            reason=reason,
            actor_id=find_actor_id(),
        )
    )


async def list_refunds(query: RefundQuery) -> PaginateResponse[RefundListed]:
    """The refunds of the orders that the caller reaches, the newest first."""
    filters = {Refund.state: FilterTypeEnum.Equals, ORDERS.c.number: FilterTypeEnum.Equals}
    return await paginate_query(
        add_filters(_LISTED, query, filters),
        query,
        RefundListed,
        sortable=[Refund.created_at, Refund.amount_fen],
        default_sort="-created_at",
    )

"""Payments of orders: a customer begins one, the staff receive money by hand."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.read import fetch_all, get_one
from xumi.kernel.db.scope import unscoped
from xumi.kernel.db.session import retry_on_conflict
from xumi.kernel.schema import SchemaBase
from xumi.modules.audit.service import record
from xumi.modules.shop.order import service as orders
from xumi.modules.shop.order.service.joining import ORDERS
from xumi.modules.shop.payment.enums import PaymentState
from xumi.modules.shop.payment.models import Payment
from xumi.modules.shop.payment.schemas import OfflinePayment, PaymentOut, PaymentStarted
from xumi.modules.shop.payment.service.provider import OfflineProvider, get_provider
from xumi.modules.shop.payment.service.settlement import reference_taken, settle


class _Id(SchemaBase):
    """An order's."""

    id: str


async def start(user_id: str, number: str, provider_name: str) -> PaymentStarted:
    """Begin to pay an order; whoever asks again gets the same payment.

    Raises:
        APIException: NOT_FOUND, he has no such order; WRONG_STATE, it is not to be paid; VALIDATION_FAILED (`provider`).
    """
    provider = get_provider(provider_name)
    # A transaction of its own: the provider is asked when it has ended.
    payment = await retry_on_conflict(lambda session: _begin(session, user_id, number, provider.name))
    client = await provider.prepare(payment) if payment.state is PaymentState.PENDING else {}
    return PaymentStarted(
        id=payment.id,
        provider=payment.provider,
        state=payment.state,
        amount_fen=payment.amount_fen,
        client=client,
    )


async def _begin(session: AsyncSession, user_id: str, number: str, provider: str) -> Payment:
    order = await orders.lock_order(session, number, user_id)
    orders.check_payable(order)
    payment = await _find_pending(session, order.id, provider)
    if payment is None:
        payment = Payment(
            order_id=order.id, provider=provider, state=PaymentState.PENDING, amount_fen=order.total_fen
        )
        session.add(payment)
        await session.flush()
    if order.total_fen == 0:
        # There is no money that anybody could wait for.
        await settle(session, payment.id, payment.id, 0)
    return payment


async def _find_pending(session: AsyncSession, order_id: str, provider: str) -> Payment | None:
    pending = select(Payment).where(
        Payment.order_id == order_id, Payment.provider == provider, Payment.state == PaymentState.PENDING
    )
    # The order's row is locked, and that is enough: MariaDB would search for a row to lock in an index by state, and lock
    # the pending payments of other orders on its way.
    return await session.scalar(pending.limit(1))


async def pay_offline(session: AsyncSession, number: str, data: OfflinePayment) -> PaymentState:
    """Money of an order was received by hand. For an order that cannot be paid any more it is to be refunded.

    Raises:
        APIException: NOT_FOUND; AMOUNT_DIFFERS (`amount_fen`); REFERENCE_TAKEN (`reference`).
    """
    order = await orders.lock_order(session, number)
    payment = await _find_pending(session, order.id, OfflineProvider.name)
    if payment is None:
        payment = await session.scalar(
            select(Payment).where(
                Payment.provider == OfflineProvider.name, Payment.reference == data.reference
            )
        )
    if payment is None:
        payment = Payment(
            order_id=order.id,
            provider=OfflineProvider.name,
            state=PaymentState.PENDING,
            amount_fen=order.total_fen,
        )
        session.add(payment)
        await session.flush()
    elif payment.order_id != order.id:
        raise reference_taken()
    state = await settle(session, payment.id, data.reference, data.amount_fen)
    record(session, "order.paid-offline", f"order:{number}", None, data.model_dump() | {"state": state.value})
    return state


async def list_own(user_id: str, number: str) -> list[PaymentOut]:
    """The payments of a customer's order, the newest first.

    Raises:
        APIException: NOT_FOUND, he has no such order.
    """
    with unscoped():
        order = await get_one(
            select(ORDERS.c.id).where(ORDERS.c.number == number, ORDERS.c.user_id == user_id), _Id
        )
    return await _list_of(order.id)


async def list_of_order(number: str) -> list[PaymentOut]:
    """The payments of an order that the caller reaches, the newest first.

    Raises:
        APIException: NOT_FOUND.
    """
    order = await get_one(select(ORDERS.c.id).where(ORDERS.c.number == number), _Id)
    return await _list_of(order.id)


async def _list_of(order_id: str) -> list[PaymentOut]:
    newest = select(Payment).where(Payment.order_id == order_id).order_by(Payment.id.desc())
    return await fetch_all(newest, PaymentOut)

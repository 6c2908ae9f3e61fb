"""Money has come: it pays the order, or it came too late and has to go back.

Whoever settles locks the order's row first, so that payments, expiry and cancelling of one order come one after the other.
"""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.modules.shop.order import service as orders
from xumi.modules.shop.payment.enums import PaymentState
from xumi.modules.shop.payment.errors import PaymentCode
from xumi.modules.shop.payment.models import Payment
from xumi.modules.shop.payment.service.refund import owe


async def settle(session: AsyncSession, payment_id: str, reference: str, amount_fen: int) -> PaymentState:
    """Take note of money; the same reference of a provider counts once, however often it is told.

    Returns:
        PAID: the order is paid by it. LATE: the order was paid before or has ended, and the money is marked for refund. CLOSED: the
        same of an order that costs nothing.

    Raises:
        APIException: NOT_FOUND; AMOUNT_DIFFERS (`amount_fen`); REFERENCE_TAKEN, it is that of another order's payment.
    """
    order_id = await session.scalar(select(Payment.order_id).where(Payment.id == payment_id))
    if order_id is None:
        raise APIException(APICode.NOT_FOUND)
    await orders.lock_by_id(session, order_id)
    payment = await session.get_one(Payment, payment_id, with_for_update=True, populate_existing=True)
    known = await _find_known(session, payment, reference)
    if known is not None:
        if known.order_id != order_id:
            raise reference_taken()
        _check_amount(known, amount_fen)
        return known.state
    _check_amount(payment, amount_fen)
    if payment.reference is not None:
        # The customer has paid twice: the second transfer is a payment of its own.
        payment = Payment(order_id=order_id, provider=payment.provider, amount_fen=amount_fen)
    return await _receive(session, payment, reference)


async def _find_known(session: AsyncSession, payment: Payment, reference: str) -> Payment | None:
    same = select(Payment).where(Payment.provider == payment.provider, Payment.reference == reference)
    return await session.scalar(same)


def reference_taken() -> APIException:
    """The refusal of a reference that another order's payment has."""
    return APIException(PaymentCode.REFERENCE_TAKEN, errors=[FieldError("reference", "is taken")])


def _check_amount(payment: Payment, amount_fen: int) -> None:
    if amount_fen != payment.amount_fen:
        errors = [FieldError("amount_fen", f"must be {payment.amount_fen}")]
        raise APIException(PaymentCode.AMOUNT_DIFFERS, errors=errors)


async def _receive(session: AsyncSession, payment: Payment, reference: str) -> PaymentState:
    paid = await orders.pay(session, payment.order_id)
    if not paid and payment.amount_fen == 0:
        # Nothing came, so nothing has to go back.
        payment.state = PaymentState.CLOSED
        session.add(payment)
        return payment.state
    payment.state = PaymentState.PAID if paid else PaymentState.LATE
    payment.settled = True if paid else None
    payment.reference, payment.paid_at = reference, clock.now()
    session.add(payment)
    await session.flush()
    if paid:
        await close_pending(session, payment.order_id)
    else:
        owe(session, payment, "the order was paid before, or had ended")
    return payment.state


async def close_pending(session: AsyncSession, order_id: str) -> None:
    """The payments of a locked order that nobody has made are not wanted any more."""
    pending = select(Payment.id).where(Payment.order_id == order_id, Payment.state == PaymentState.PENDING)
    # By their ids: MariaDB would look for them in an index by state, and wait for those of other orders on its way.
    found = sorted(await session.scalars(pending))
    await session.execute(
        update(Payment)
        .where(Payment.id.in_(found))
        .values(state=PaymentState.CLOSED)
        .execution_options(synchronize_session=False)
    )

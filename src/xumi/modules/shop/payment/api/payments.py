"""Payments, for customers."""

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.http.router import get_router
from xumi.modules.shop.payment.schemas import Number, PaymentCreate, PaymentOut, PaymentStarted
from xumi.modules.shop.payment.service import payment

router = get_router(prefix="/api/v1/orders", tags=["payments"])


@router.post("/{number}/payments", permission="payment:create", status_code=201)
async def create_payment(principal: CurrentPrincipal, number: Number, body: PaymentCreate) -> PaymentStarted:
    """Begin to pay an order. Asked again, it gives the payment that waits."""
    return await payment.start(principal.user_id, number, body.provider)


@router.get("/{number}/payments", permission="payment:list")
async def list_payments(principal: CurrentPrincipal, number: Number) -> list[PaymentOut]:
    """The payments of one of the caller's orders, the newest first."""
    return await payment.list_own(principal.user_id, number)

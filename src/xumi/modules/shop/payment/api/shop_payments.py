"""Payments and refunds, for the staff."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.shop.payment.schemas import (
    Number,
    OfflinePayment,
    PaymentOut,
    PaymentSettled,
    RefundListed,
    RefundQuery,
)
from xumi.modules.shop.payment.service import payment, refund

router = get_router(prefix="/api/v1/shop", tags=["shop-orders"])


@router.get("/orders/{number}/payments", permission="shop-payment:list")
async def list_shop_payments(number: Number) -> list[PaymentOut]:
    """The payments of an order, the newest first."""
    return await payment.list_of_order(number)


@router.post("/orders/{number}/pay-offline", permission="order:pay-offline")
async def pay_offline(session: Session, number: Number, body: OfflinePayment) -> PaymentSettled:
    """Say that the money of an order is there. The same reference counts once."""
    return PaymentSettled(state=await payment.pay_offline(session, number, body))


@router.get("/refunds", permission="refund:list")
async def list_refunds(query: Annotated[RefundQuery, Query()]) -> PaginateResponse[RefundListed]:
    """A page of the money that has to go back, the newest first."""
    return await refund.list_refunds(query)

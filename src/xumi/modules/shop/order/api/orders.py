"""Orders, for customers."""

from typing import Annotated

from fastapi import Path, Query

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.shop.order.schemas.mine import MyOrderListed, MyOrderOut, MyOrderQuery, OrderCancel
from xumi.modules.shop.order.schemas.placing import (
    OrderCreate,
    OrderPlacedOut,
    OrderPreview,
    OrderPreviewOut,
)
from xumi.modules.shop.order.service import change, mine, placing

router = get_router(prefix="/api/v1/orders", tags=["orders"])

Number = Annotated[str, Path(description="The order's number.", examples=["4839201746352910"])]


@router.post("/preview", permission="order:place")
async def preview_order(session: Session, principal: CurrentPrincipal, body: OrderPreview) -> OrderPreviewOut:
    """What an order would cost, and whether it could be placed now; nothing is reserved."""
    return await placing.preview(session, principal, body)


@router.post("", permission="order:place", status_code=201, idempotent=True)
async def place_order(session: Session, principal: CurrentPrincipal, body: OrderCreate) -> OrderPlacedOut:
    """Place an order; its stock is kept until `expires_at`. Send an `Idempotency-Key`."""
    return await placing.place(session, principal, body)


@router.get("", permission="order:list")
async def list_orders(
    principal: CurrentPrincipal, query: Annotated[MyOrderQuery, Query()]
) -> PaginateResponse[MyOrderListed]:
    """A page of the caller's orders, the newest first."""
    return await mine.list_mine(principal.user_id, query)


@router.get("/{number}", permission="order:list")
async def get_order(principal: CurrentPrincipal, number: Number) -> MyOrderOut:
    """One of the caller's orders, with its lines and parcels."""
    return await mine.get_mine(principal.user_id, number)


@router.post("/{number}/cancel", permission="order:cancel", status_code=204)
async def cancel_order(
    session: Session, principal: CurrentPrincipal, number: Number, body: OrderCancel
) -> None:
    """Cancel an order that is not paid yet."""
    await change.cancel_own(session, principal.user_id, number, body.reason)


@router.post("/{number}/confirm", permission="order:confirm", status_code=204)
async def confirm_order(session: Session, principal: CurrentPrincipal, number: Number) -> None:
    """Say that everything has arrived: the order is completed."""
    await change.confirm_own(session, principal.user_id, number)

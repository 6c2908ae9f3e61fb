"""Orders, for the staff."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.shop.order.api.orders import Number
from xumi.modules.shop.order.schemas.staff import (
    DepartmentChange,
    RemarkChange,
    ShipmentCreate,
    ShopCancel,
    ShopOrderListed,
    ShopOrderOut,
    ShopOrderQuery,
)
from xumi.modules.shop.order.service import staff

router = get_router(prefix="/api/v1/shop/orders", tags=["shop-orders"])


@router.get("", permission="shop-order:list")
async def list_shop_orders(
    query: Annotated[ShopOrderQuery, Query()],
) -> PaginateResponse[ShopOrderListed]:
    """A page of the orders, the newest first, or all that match as a file."""
    return await staff.list_orders(query)


@router.get("/{number}", permission="shop-order:read")
async def get_shop_order(number: Number) -> ShopOrderOut:
    """One order with its lines, parcels and changes."""
    return await staff.get_order(number)


@router.post("/{number}/ship", permission="shop-order:ship", status_code=201, idempotent=True)
async def ship_order(session: Session, number: Number, body: ShipmentCreate) -> RowId:
    """Send a parcel with all of a paid order, or a part of it; `data` is its id."""
    return await staff.ship_order(session, number, body)


@router.post("/{number}/cancel", permission="shop-order:cancel", status_code=204)
async def cancel_shop_order(session: Session, number: Number, body: ShopCancel) -> None:
    """Cancel an order of which nothing was sent; what was paid is marked for refund."""
    await staff.cancel_order(session, number, body.reason)


@router.put("/{number}/remark", permission="shop-order:remark", status_code=204)
async def set_order_remark(session: Session, number: Number, body: RemarkChange) -> None:
    """Note something about an order, for the staff."""
    await staff.set_remark(session, number, body.remark)


@router.put("/{number}/department", permission="shop-order:assign", status_code=204)
async def set_order_department(session: Session, number: Number, body: DepartmentChange) -> None:
    """Say which department handles an order."""
    await staff.set_department(session, number, body.department_id)

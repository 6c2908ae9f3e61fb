"""Orders as the staff handles them: everything is narrowed to what the caller's data scope reaches."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_all, get_one
from xumi.kernel.db.scope import check_scope
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.modules.audit.service import record
from xumi.modules.shop.order.models import Order, OrderChange, OrderLine, Shipment
from xumi.modules.shop.order.schemas.mine import OrderLineOut, ShipmentOut
from xumi.modules.shop.order.schemas.staff import (
    ChangeOut,
    ShipmentCreate,
    ShopOrderListed,
    ShopOrderOut,
    ShopOrderQuery,
)
from xumi.modules.shop.order.service import change, machine
from xumi.modules.shop.order.service.mine import Head
from xumi.modules.shop.order.service.shipment import ship

_FILTERS = {
    Order.number: FilterTypeEnum.Equals,
    Order.user_id: FilterTypeEnum.Equals,
    Order.department_id: FilterTypeEnum.Equals,
    Order.state: FilterTypeEnum.Equals,
    Order.total_fen: FilterTypeEnum.Range,
    Order.created_at: FilterTypeEnum.Datetime,
}


class _ShopHead(Head):
    """An order without what belongs to it, as the staff sees it."""

    user_id: str
    department_id: str | None
    remark: str | None


async def list_orders(query: ShopOrderQuery) -> PaginateResponse[ShopOrderListed]:
    """The orders that are wanted, the newest first."""
    return await paginate_query(
        add_filters(select(Order), query, _FILTERS),
        query,
        ShopOrderListed,
        sortable=[Order.created_at, Order.total_fen],
        default_sort="-created_at",
        keyset=True,
        counts=("exact", "cached", "estimate", "none"),
    )


async def get_order(number: str) -> ShopOrderOut:
    """One order with all that belongs to it.

    Raises:
        APIException: NOT_FOUND.
    """
    head = await get_one(select(Order).where(Order.number == number), _ShopHead)
    lines = await fetch_all(_of(OrderLine, head.id), OrderLineOut)
    shipments = await fetch_all(_of(Shipment, head.id), ShipmentOut)
    changes = await fetch_all(_of(OrderChange, head.id), ChangeOut)
    values = {name: getattr(head, name) for name in _ShopHead.model_fields if name != "id"}
    return ShopOrderOut(
        **values,
        lines=[OrderLineOut.model_validate(line) for line in lines],
        shipments=[ShipmentOut.model_validate(shipment) for shipment in shipments],
        changes=[ChangeOut.model_validate(each) for each in changes],
    )


def _of(model: Any, order_id: str) -> Any:
    return select(model).where(model.order_id == order_id).order_by(model.id)


async def ship_order(session: AsyncSession, number: str, data: ShipmentCreate) -> str:
    """Send a parcel; returns its id.

    Raises:
        APIException: NOT_FOUND; see `ship`.
    """
    order = await machine.lock_order(session, number)
    quantities = None if data.lines is None else {line.sku_id: line.quantity for line in data.lines}
    shipment_id = await ship(session, order, data.carrier, data.tracking_number, quantities)
    record(session, "order.shipped", f"order:{number}", None, data.model_dump())
    return shipment_id


async def cancel_order(session: AsyncSession, number: str, reason: str) -> None:
    """Cancel an order of which nothing was shipped; what was paid has to go back.

    Raises:
        APIException: NOT_FOUND; WRONG_STATE.
    """
    await change.cancel(session, await machine.lock_order(session, number), reason)


async def set_remark(session: AsyncSession, number: str, remark: str | None) -> None:
    """Note something about an order.

    Raises:
        APIException: NOT_FOUND.
    """
    order = await machine.lock_order(session, number)
    record(session, "order.remarked", f"order:{number}", {"remark": order.remark}, {"remark": remark})
    order.remark = remark


async def set_department(session: AsyncSession, number: str, department_id: str | None) -> None:
    """Say who handles an order.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED (`department_id`); FORBIDDEN, the caller would not reach it any more.
    """
    order = await machine.lock_order(session, number)
    before = {"department_id": order.department_id}
    order.department_id = department_id
    check_scope(order)
    try:
        await session.flush()
    except IntegrityError as error:
        errors = [FieldError("department_id", "there is no such department")]
        raise APIException(APICode.VALIDATION_FAILED, errors=errors) from error
    record(session, "order.assigned", f"order:{number}", before, {"department_id": department_id})

"""A customer's own orders. They are his whatever the data scope of his roles says."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_all, get_one
from xumi.kernel.db.scope import unscoped
from xumi.kernel.schema import SchemaBase
from xumi.modules.shop.order.models import Order, OrderLine, Shipment
from xumi.modules.shop.order.schemas.mine import (
    MyOrderListed,
    MyOrderOut,
    MyOrderQuery,
    OrderLineOut,
    ShipmentOut,
)

_First = aliased(OrderLine)
_Any = aliased(OrderLine)
_LISTED = select(
    Order.number,
    Order.state,
    Order.total_fen,
    _First.name,
    _First.picture,
    select(func.sum(_Any.quantity)).where(_Any.order_id == Order.id).scalar_subquery().label("pieces"),
    Order.expires_at,
    Order.created_at,
).where(
    # The first line has the smallest id.
    _First.id == select(func.min(_Any.id)).where(_Any.order_id == Order.id).scalar_subquery()
)


class Head(SchemaBase):
    """An order without what belongs to it."""

    id: str
    number: str
    state: Any
    goods_fen: int
    freight_fen: int
    discount_fen: int
    total_fen: int
    address: dict[str, Any]
    note: str | None
    expires_at: Any
    paid_at: Any
    shipped_at: Any
    completed_at: Any
    ended_at: Any
    created_at: Any


async def list_mine(user_id: str, query: MyOrderQuery) -> PaginateResponse[MyOrderListed]:
    """A page of a customer's orders, the newest first."""
    statement = _LISTED.where(Order.user_id == user_id)
    if query.state is not None:
        statement = statement.where(Order.state == query.state)
    with unscoped():
        return await paginate_query(
            statement, query, MyOrderListed, sortable=[Order.created_at], default_sort="-created_at"
        )


async def get_mine(user_id: str, number: str) -> MyOrderOut:
    """One of a customer's orders.

    Raises:
        APIException: NOT_FOUND; other people's are not there.
    """
    with unscoped():
        head = await get_one(select(Order).where(Order.number == number, Order.user_id == user_id), Head)
    order_id: str = head.id
    lines = await fetch_all(
        select(OrderLine).where(OrderLine.order_id == order_id).order_by(OrderLine.id), OrderLineOut
    )
    shipments = await fetch_all(
        select(Shipment).where(Shipment.order_id == order_id).order_by(Shipment.id), ShipmentOut
    )
    values = {name: getattr(head, name) for name in Head.model_fields if name != "id"}
    return MyOrderOut(
        **values,
        lines=[OrderLineOut.model_validate(line) for line in lines],
        shipments=[ShipmentOut.model_validate(shipment) for shipment in shipments],
    )

"""A feature whose orders have a scope, as an application under test has it."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from sqlalchemy import MetaData, String, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from xumi.api import Application
from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.config import Settings
from xumi.kernel.db.model import NAMING_CONVENTION, ModelBase
from xumi.kernel.db.query import PaginateRequest, PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_value, get_one
from xumi.kernel.db.scope import Scope, check_scope, unscoped
from xumi.kernel.db.session import Session
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.http.router import get_router
from xumi.kernel.modules import Feature, Module, discover
from xumi.kernel.schema import InputSchema, SchemaBase

router = get_router(prefix="/api/v1/orders")


class ShopBase(ModelBase):
    """Base of these tables; their metadata is their own."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class ShopOrder(ShopBase):
    """An order."""

    __tablename__ = "t_shop_order"
    __scope__ = Scope("shop-order", owner="owner_id", department="department_id")

    owner_id: Mapped[str | None] = mapped_column(String(26))
    department_id: Mapped[str | None] = mapped_column(String(26))
    amount: Mapped[int]


class OrderOut(SchemaBase):
    """An order as clerks see it."""

    id: str
    amount: int


class OrderCreate(InputSchema):
    """A new order."""

    department_id: Annotated[str, Field(max_length=26)]
    amount: Annotated[int, Field(ge=0, le=1_000_000)]


@router.get("", permission="shop-order:list")
async def list_orders(query: Annotated[PaginateRequest, Query()]) -> PaginateResponse[OrderOut]:
    """The orders that the caller reaches."""
    return await paginate_query(select(ShopOrder), query, OrderOut, sortable=[ShopOrder.amount])


@router.get("/open", public=True)
async def count_openly() -> dict[str, Any]:
    """What anybody sees, and how many there are."""
    seen = await fetch_value(select(func.count()).select_from(ShopOrder))
    with unscoped():
        return {"seen": seen, "all": await fetch_value(select(func.count()).select_from(ShopOrder))}


@router.get("/{order_id}", permission="shop-order:list")
async def get_order(order_id: str) -> OrderOut:
    """One order."""
    return await get_one(select(ShopOrder).where(ShopOrder.id == order_id), OrderOut)


@router.post("", permission="shop-order:change", status_code=201)
async def create_order(session: Session, principal: CurrentPrincipal, body: OrderCreate) -> str:
    """Make an order of a department that the caller reaches."""
    order = ShopOrder(owner_id=principal.user_id, **body.model_dump())
    check_scope(order)
    session.add(order)
    await session.flush()
    return order.id


@router.patch("/{order_id}", permission="shop-order:change", status_code=204)
async def double_order(session: Session, order_id: str) -> None:
    """Double an order."""
    order = await session.get(ShopOrder, order_id)
    if order is None:
        raise APIException(APICode.NOT_FOUND)
    order.amount *= 2


@router.delete("/{order_id}", permission="shop-order:change", status_code=204)
async def delete_order(session: Session, order_id: str) -> None:
    """Delete an order."""
    order = await session.get(ShopOrder, order_id)
    if order is None:
        raise APIException(APICode.NOT_FOUND)
    await session.delete(order)


@router.post("/double", permission="shop-order:change", status_code=204)
async def double_orders(session: Session) -> None:
    """Double all orders."""
    await session.execute(update(ShopOrder).values(amount=ShopOrder.amount * 2))


@router.delete("", permission="shop-order:change", status_code=204)
async def delete_orders(session: Session) -> None:
    """Delete all orders."""
    await session.execute(delete(ShopOrder))


def make_app(settings: Settings) -> Application:
    """The application with this feature, which everybody may use."""
    grants = {"user": ("shop-order:list", "shop-order:change")}
    module = Module(name="shop-order", title_en="Orders", title_zh="订单", grants=grants)
    return Application(settings, [*discover(settings.modules), Feature(module, __name__, [router])])

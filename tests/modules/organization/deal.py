"""A feature whose deals have a scope, as an application under test has it."""

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

router = get_router(prefix="/api/v1/deals")


class DealBase(ModelBase):
    """Base of these tables; their metadata is their own."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Deal(DealBase):
    """A deal."""

    __tablename__ = "t_deal"
    __scope__ = Scope("deal", owner="owner_id", department="department_id")

    owner_id: Mapped[str | None] = mapped_column(String(26))
    department_id: Mapped[str | None] = mapped_column(String(26))
    amount: Mapped[int]


class DealOut(SchemaBase):
    """A deal as clerks see it."""

    id: str
    amount: int


class DealCreate(InputSchema):
    """A new deal."""

    department_id: Annotated[str, Field(max_length=26)]
    amount: Annotated[int, Field(ge=0, le=1_000_000)]


@router.get("", permission="deal:list")
async def list_deals(query: Annotated[PaginateRequest, Query()]) -> PaginateResponse[DealOut]:
    """The deals that the caller reaches."""
    return await paginate_query(select(Deal), query, DealOut, sortable=[Deal.amount])


@router.get("/open", public=True)
async def count_openly() -> dict[str, Any]:
    """What anybody sees, and how many there are."""
    seen = await fetch_value(select(func.count()).select_from(Deal))
    with unscoped():
        return {"seen": seen, "all": await fetch_value(select(func.count()).select_from(Deal))}


@router.get("/{deal_id}", permission="deal:list")
async def get_deal(deal_id: str) -> DealOut:
    """One deal."""
    return await get_one(select(Deal).where(Deal.id == deal_id), DealOut)


@router.post("", permission="deal:change", status_code=201)
async def create_deal(session: Session, principal: CurrentPrincipal, body: DealCreate) -> str:
    """Make a deal of a department that the caller reaches."""
    deal = Deal(owner_id=principal.user_id, **body.model_dump())
    check_scope(deal)
    session.add(deal)
    await session.flush()
    return deal.id


@router.patch("/{deal_id}", permission="deal:change", status_code=204)
async def double_deal(session: Session, deal_id: str) -> None:
    """Double a deal."""
    deal = await session.get(Deal, deal_id)
    if deal is None:
        raise APIException(APICode.NOT_FOUND)
    deal.amount *= 2


@router.delete("/{deal_id}", permission="deal:change", status_code=204)
async def delete_deal(session: Session, deal_id: str) -> None:
    """Delete a deal."""
    deal = await session.get(Deal, deal_id)
    if deal is None:
        raise APIException(APICode.NOT_FOUND)
    await session.delete(deal)


@router.post("/double", permission="deal:change", status_code=204)
async def double_deals(session: Session) -> None:
    """Double all deals."""
    await session.execute(update(Deal).values(amount=Deal.amount * 2))


@router.delete("", permission="deal:change", status_code=204)
async def delete_deals(session: Session) -> None:
    """Delete all deals."""
    await session.execute(delete(Deal))


def make_app(settings: Settings) -> Application:
    """The application with this feature, which everybody may use."""
    grants = {"user": ("deal:list", "deal:change")}
    module = Module(name="deal", title_en="Deals", title_zh="合同", grants=grants)
    return Application(settings, [*discover(settings.modules), Feature(module, __name__, [router])])

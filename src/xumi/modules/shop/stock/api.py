"""Stock, for the staff."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.shop.stock.schemas import Adjustment, MovementOut, MovementQuery, StockListed, StockQuery
from xumi.modules.shop.stock.service import staff

router = get_router(prefix="/api/v1/shop/stock", tags=["shop-stock"])


@router.get("", permission="stock:list")
async def list_stock(query: Annotated[StockQuery, Query()]) -> PaginateResponse[StockListed]:
    """A page of what there is of each SKU, the lowest first."""
    return await staff.list_stock(query)


@router.post("/{sku_id}/adjust", permission="stock:adjust", idempotent=True)
async def adjust_stock(
    session: Session, sku_id: str, body: Adjustment
) -> Annotated[int, Field(examples=[97])]:
    """Say that goods came in, were counted or were lost; `data` is how many are available now."""
    return await staff.adjust_stock(session, sku_id, body)


@router.get("/{sku_id}/movements", permission="stock:list")
async def list_movements(
    sku_id: str, query: Annotated[MovementQuery, Query()]
) -> PaginateResponse[MovementOut]:
    """A page of the ledger of a SKU, the newest line first."""
    return await staff.list_movements(sku_id, query)

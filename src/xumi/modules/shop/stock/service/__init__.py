"""What stock does; other features use what is named here."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.context import find_current
from xumi.kernel.db.read import fetch_all
from xumi.kernel.schema import SchemaBase
from xumi.modules.shop.stock.enums import MovementKind
from xumi.modules.shop.stock.errors import OutOfStock, StockCode
from xumi.modules.shop.stock.models import Movement, Stock
from xumi.modules.shop.stock.service.ledger import adjust, give_back, release, reserve, sell

__all__ = [
    "Level",
    "OutOfStock",
    "StockCode",
    "adjust",
    "find_levels",
    "give_back",
    "open_stock",
    "release",
    "reserve",
    "sell",
]

_LEVELS = select(Stock.id, Stock.available, Stock.reserved, Stock.sold).where(
    Stock.id.in_(bindparam("sku_ids", expanding=True))
)


class Level(msgspec.Struct):
    """What there is of a SKU, in pieces."""

    sku_id: str
    available: int
    reserved: int
    sold: int


class _LevelRow(SchemaBase):
    id: str
    available: int
    reserved: int
    sold: int


async def open_stock(session: AsyncSession, sku_id: str, quantity: int, low_at: int = 0) -> None:
    """Begin the stock of a new SKU."""
    session.add(Stock(id=sku_id, available=quantity, low_at=low_at))
    await session.flush()
    context = find_current()
    principal = context.principal if context is not None else None
    session.add(
        Movement(
            sku_id=sku_id,
            kind=MovementKind.ADJUSTED,
            available=quantity,
            reserved=0,
            sold=0,
            actor_id=principal.user_id if principal is not None else None,
        )
    )


async def find_levels(sku_ids: Iterable[str]) -> dict[str, Level]:
    """What there is of these SKUs."""
    rows = await fetch_all(_LEVELS, _LevelRow, {"sku_ids": sorted(set(sku_ids))})
    return {row.id: Level(row.id, row.available, row.reserved, row.sold) for row in rows}

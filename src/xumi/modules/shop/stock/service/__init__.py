"""What stock does; other features use what is named here."""

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from xumi.kernel.db.read import fetch_all
from xumi.kernel.schema import SchemaBase
from xumi.modules.shop.stock.errors import StockCode
from xumi.modules.shop.stock.models import Stock
from xumi.modules.shop.stock.service.ledger import adjust, give_back, release, reserve, sell
from xumi.modules.shop.stock.service.opening import open_stocks

__all__ = [
    "Level",
    "StockCode",
    "adjust",
    "find_levels",
    "give_back",
    "open_stocks",
    "release",
    "reserve",
    "sell",
]

_LEVELS = select(Stock.id.label("sku_id"), Stock.available, Stock.reserved, Stock.sold).where(
    Stock.id.in_(bindparam("sku_ids", expanding=True))
)


class Level(SchemaBase):
    """What there is of a SKU, in pieces."""

    sku_id: str
    available: int
    reserved: int
    sold: int


async def find_levels(sku_ids: Iterable[str]) -> dict[str, Level]:
    """What there is of these SKUs."""
    levels = await fetch_all(_LEVELS, Level, {"sku_ids": sorted(set(sku_ids))})
    return {level.sku_id: level for level in levels}

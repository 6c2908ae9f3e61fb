"""How the stock of new SKUs begins."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.context import find_actor_id
from xumi.kernel.db.bulk import insert_many
from xumi.modules.shop.stock.enums import MovementKind
from xumi.modules.shop.stock.models import Movement, Stock


async def open_stocks(session: AsyncSession, stocks: Mapping[str, tuple[int, int]]) -> None:
    """Begin the stock of new SKUs: by the id of each how many pieces there are, and at how few to tell."""
    await insert_many(
        session,
        Stock,
        ({"id": each, "available": pieces, "low_at": low_at} for each, (pieces, low_at) in stocks.items()),
    )
    fixed = {"kind": MovementKind.ADJUSTED, "reserved": 0, "sold": 0, "actor_id": find_actor_id()}
    await insert_many(
        session,
        Movement,
        ({"sku_id": each, "available": pieces, **fixed} for each, (pieces, _) in stocks.items()),
    )

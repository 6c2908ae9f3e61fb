"""The beginning of many stocks at once."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.context import find_current
from xumi.kernel.db.bulk import insert_many
from xumi.modules.shop.stock.enums import MovementKind
from xumi.modules.shop.stock.models import Movement, Stock


async def open_stocks(session: AsyncSession, stocks: Mapping[str, tuple[int, int]]) -> None:
    """What `open_stock` does for one SKU: by the id of each how many pieces there are, and at how few to tell."""
    context = find_current()
    principal = context.principal if context is not None else None
    actor_id = principal.user_id if principal is not None else None
    await insert_many(
        session,
        Stock,
        ({"id": each, "available": pieces, "low_at": low_at} for each, (pieces, low_at) in stocks.items()),
    )
    fixed = {"kind": MovementKind.ADJUSTED, "reserved": 0, "sold": 0, "actor_id": actor_id}
    await insert_many(
        session,
        Movement,
        ({"sku_id": each, "available": pieces, **fixed} for each, (pieces, _) in stocks.items()),
    )

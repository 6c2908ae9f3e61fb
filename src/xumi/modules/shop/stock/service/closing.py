"""The end of a stock whose SKU is deleted."""

from collections.abc import Collection

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.modules.shop.stock.models import Movement, Stock


async def close_stock(session: AsyncSession, sku_ids: Collection[str]) -> bool:
    """Forget the stock of SKUs with its movements; False, and nothing is done, if pieces are reserved or sold, or ever were."""
    # Locked in their order, so that nothing of it is reserved from here on.
    rows = await session.scalars(
        select(Stock.id).where(Stock.id.in_(sku_ids)).order_by(Stock.id).with_for_update()
    )
    found = list(rows)
    touched = select(Movement.id).where(
        Movement.sku_id.in_(found), or_(Movement.reserved != 0, Movement.sold != 0)
    )
    if await session.scalar(touched.limit(1)) is not None:
        return False
    await session.execute(delete(Movement).where(Movement.sku_id.in_(found)))
    await session.execute(delete(Stock).where(Stock.id.in_(found)))
    return True

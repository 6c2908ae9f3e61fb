"""How many pieces of a product one user may buy, over all his orders that stand."""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import CursorResult, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.bulk import upsert
from xumi.modules.shop.order.models import Purchase


async def take(session: AsyncSession, user_id: str, wanted: Mapping[str, tuple[int, int]]) -> str | None:
    """Count pieces against a user's limits; returns the product of which he would have too many, None if all is well.

    Args:
        session: the caller's; where a product is returned, it must be rolled back.
        user_id: who buys.
        wanted: product → pieces and the product's limit.
    """
    rows = [{"user_id": user_id, "product_id": product, "quantity": 0} for product in wanted]
    await upsert(session, Purchase, rows, key=[Purchase.user_id, Purchase.product_id], update=[])
    for product, (pieces, limit) in sorted(wanted.items()):
        change = (
            update(Purchase)
            .where(
                Purchase.user_id == user_id,
                Purchase.product_id == product,
                Purchase.quantity + pieces <= limit,
            )
            .values(quantity=Purchase.quantity + pieces)
            .execution_options(synchronize_session=False)
        )
        if cast(CursorResult[Any], await session.execute(change)).rowcount == 0:
            return product
    return None


async def give_back(session: AsyncSession, user_id: str, pieces: Mapping[str, int]) -> None:
    """The pieces of an order that has ended do not count any more."""
    for product, count in sorted(pieces.items()):
        await session.execute(
            update(Purchase)
            .where(Purchase.user_id == user_id, Purchase.product_id == product)
            .values(quantity=Purchase.quantity - count)
            .execution_options(synchronize_session=False)
        )

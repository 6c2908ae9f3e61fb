"""What the orders themselves say, for figures that must agree with them."""

from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.scope import unscoped
from xumi.modules.shop.order.events import Bought
from xumi.modules.shop.order.models import Order, OrderLine

_BATCH = 500


class OrderFact(msgspec.Struct):
    """When something became of an order, and what was bought.

    Attributes:
        ended_at: when it was cancelled or closed.
        lines: empty where it was never paid.
    """

    user_id: str
    total_fen: int
    created_at: datetime
    paid_at: datetime | None
    ended_at: datetime | None
    lines: list[Bought]


async def stream_facts(session: AsyncSession) -> AsyncIterator[OrderFact]:
    """All orders, whoever's they are, as the transaction sees them; a batch of them is held."""
    columns = (Order.id, Order.user_id, Order.total_fen)
    times = (Order.created_at, Order.paid_at, Order.ended_at)
    last = ""
    while True:
        with unscoped():
            page = select(*columns, *times).where(Order.id > last).order_by(Order.id).limit(_BATCH)
            orders = (await session.execute(page)).all()
        if not orders:
            return
        last = orders[-1].id
        lines = await _read_lines(session, [order.id for order in orders if order.paid_at is not None])
        for order in orders:
            yield OrderFact(*order[1:], lines=lines.get(order.id, []))


async def _read_lines(session: AsyncSession, order_ids: list[str]) -> dict[str, list[Bought]]:
    found: dict[str, list[Bought]] = {}
    wanted = select(
        OrderLine.order_id, OrderLine.product_id, OrderLine.sku_id, OrderLine.quantity, OrderLine.total_fen
    ).where(OrderLine.order_id.in_(order_ids))
    for order_id, product_id, sku_id, quantity, total_fen in await session.execute(wanted):
        found.setdefault(order_id, []).append(Bought(product_id, sku_id, quantity, total_fen))
    return found

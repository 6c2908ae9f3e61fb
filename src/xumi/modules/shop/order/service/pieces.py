"""The pieces of an order: what happens to them when it is paid or ends."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.modules.shop.order.events import Bought
from xumi.modules.shop.order.models import Order, OrderLine
from xumi.modules.shop.order.service import limit
from xumi.modules.shop.stock import service as stock


async def read_lines(session: AsyncSession, order: Order) -> list[OrderLine]:
    """The lines of an order."""
    found = await session.scalars(
        select(OrderLine).where(OrderLine.order_id == order.id).order_by(OrderLine.id)
    )
    return list(found)


def bought(lines: list[OrderLine]) -> list[Bought]:
    """The lines as events tell of them."""
    return [Bought(line.product_id, line.sku_id, line.quantity, line.total_fen) for line in lines]


async def sell_pieces(session: AsyncSession, order: Order) -> list[OrderLine]:
    """An order is paid: what was reserved is sold. Returns the lines."""
    lines = await read_lines(session, order)
    stock.sell({line.sku_id: line.quantity for line in lines}, order.id)
    return lines


async def free_pieces(session: AsyncSession, order: Order, *, sold: bool = False) -> list[OrderLine]:
    """An order has ended: others can buy what it held. Returns the lines."""
    lines = await read_lines(session, order)
    counted: dict[str, int] = {}
    for line in lines:
        if line.limited:
            counted[line.product_id] = counted.get(line.product_id, 0) + line.quantity
    await limit.give_back(session, order.user_id, counted)
    move = stock.give_back if sold else stock.release
    move({line.sku_id: line.quantity for line in lines}, order.id)
    return lines

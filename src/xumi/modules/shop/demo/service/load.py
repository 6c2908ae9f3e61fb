"""Loading the demo: all of it in one transaction, so that it is there as a whole or not at all."""

import random
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.context import current
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.events.relay import Relay
from xumi.modules.shop.demo.constants import DAYS
from xumi.modules.shop.demo.service.assortment import Language
from xumi.modules.shop.demo.service.history import live_through
from xumi.modules.shop.demo.service.rows import (
    add_catalogue,
    add_customers,
    add_wishes,
    list_skus,
    make_id,
    table,
)
from xumi.modules.shop.stock import service as stock

Tell = Callable[[int, int], None]
"""Is told how many steps are done, and of how many."""

# The same demo each time.
_SEED = 20261121
_OFF = 59
_DRAFT = 60


async def is_loaded(session: AsyncSession) -> bool:
    """Whether the demo is there."""
    categories = table("shop_category")
    return (
        await session.scalar(select(categories.c.id).where(categories.c.id == make_id("CATEGORY", 1)))
        is not None
    )


async def load(language: Language = "zh", tell: Tell = lambda done, steps: None) -> bool:
    """Fill the shop; False where the demo is there already.

    Raises:
        IntegrityError: the shop has an account, a code or a name that the demo wants; nothing was loaded.
    """
    chance = random.Random(_SEED)
    async with unit_of_work() as work:
        session = work.session
        if await is_loaded(session):
            return False
        with clock.travel(seconds=-timedelta(days=DAYS + 1).total_seconds()):
            await add_catalogue(session, language)
            await add_customers(session, chance)
        async for done, steps in live_through(session, chance, language):
            tell(done, steps)
        await add_wishes(session, chance)
        await _leave_few(session)
        products = table("shop_product")
        for number, state in ((_OFF, "off"), (_DRAFT, "draft")):
            await session.execute(
                update(products).where(products.c.id == make_id("PRODUCT", number)).values(state=state)
            )
    await deliver()
    return True


async def _leave_few(session: AsyncSession) -> None:
    """Of some SKUs little is left, of one nothing."""
    for left, (sku_id, _) in zip((0, 2, 5, 9), list_skus()[::30], strict=False):
        level = (await stock.find_levels([sku_id]))[sku_id]
        await stock.adjust(session, sku_id, left - level.available, "counted")


async def deliver() -> None:
    """Hand out the events that wait, so that figures are there at once also where no worker runs."""
    relay = Relay(current().resources)
    while await relay.step() == 0:
        pass

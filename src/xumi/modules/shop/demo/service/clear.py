"""Taking the demo away: what `load` made, what hangs on it, and nothing else."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.session import unit_of_work
from xumi.kernel.jobs.models import JobRow, JobState
from xumi.modules.shop.catalog.service.search import index_product
from xumi.modules.shop.demo.constants import PREFIX
from xumi.modules.shop.demo.service.load import deliver, is_loaded
from xumi.modules.shop.demo.service.rows import table
from xumi.modules.shop.sales import service as sales

_BATCH = 500
_NUMBERS = ("available", "reserved", "sold")


def _is_demo(column: Any) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column.startswith(PREFIX)
    return found


async def clear() -> bool:
    """Delete the demo with everything that was ordered of it or by its customers; False where it is not there.

    What others have put into a category of the demo, or send by its freight, keeps that category and that freight.

    Raises:
        IntegrityError: something was ordered meanwhile; nothing was deleted.
        APIException: CONFLICT, events were given up (`xumi events dead`): the figures of sales could not be corrected.
    """
    await deliver()
    async with unit_of_work() as work:
        session = work.session
        if not await is_loaded(session):
            return False
        found = list(await session.scalars(_orders()))
        for at in range(0, len(found), _BATCH):
            await _delete_orders(session, found[at : at + _BATCH])
        await _delete_jobs(session, set(found))
        await _delete_customers(session)
        await _delete_products(session)
    await deliver()
    await sales.recount()
    return True


def _orders() -> Select[str]:
    """The orders of demo customers, and all that have a demo product in them."""
    orders, lines = table("shop_order"), table("shop_order_line")
    with_demo = select(lines.c.order_id).where(_is_demo(lines.c.product_id))
    return (
        select(orders.c.id)
        .where(or_(_is_demo(orders.c.user_id), orders.c.id.in_(with_demo)))
        .order_by(orders.c.id)
        .with_for_update()
    )


async def _delete_orders(session: AsyncSession, order_ids: Sequence[str]) -> None:
    """Delete orders as if they had never been: what they hold of other goods is available again."""
    movements, stocks = table("shop_stock_movement"), table("shop_stock")
    sums = [func.sum(movements.c[name]).label(name) for name in _NUMBERS]
    theirs = movements.c.reference.in_(order_ids)
    moved = select(movements.c.sku_id, *sums).where(theirs).group_by(movements.c.sku_id)
    for row in sorted((await session.execute(moved)).all()):
        values = {name: stocks.c[name] - int(row._mapping[name]) for name in _NUMBERS}
        await session.execute(update(stocks).where(stocks.c.id == row.sku_id).values(values))
    await session.execute(delete(movements).where(theirs))
    await _give_back_limits(session, order_ids)
    payments, refunds = table("shop_payment"), table("shop_refund")
    paid = select(payments.c.id).where(payments.c.order_id.in_(order_ids))
    await session.execute(delete(refunds).where(refunds.c.payment_id.in_(paid)))
    await session.execute(delete(payments).where(payments.c.order_id.in_(order_ids)))
    orders = table("shop_order")
    await session.execute(delete(orders).where(orders.c.id.in_(order_ids)))


async def _give_back_limits(session: AsyncSession, order_ids: Sequence[str]) -> None:
    """What these orders count towards customers' limits counts no more."""
    orders, lines, purchases = table("shop_order"), table("shop_order_line"), table("shop_purchase")
    counted = (
        select(orders.c.user_id, lines.c.product_id, func.sum(lines.c.quantity).label("quantity"))
        .join(lines, lines.c.order_id == orders.c.id)
        .where(orders.c.id.in_(order_ids), lines.c.limited, orders.c.state.not_in(("cancelled", "closed")))
        .group_by(orders.c.user_id, lines.c.product_id)
    )
    for row in sorted((await session.execute(counted)).all()):
        key = (purchases.c.user_id == row.user_id, purchases.c.product_id == row.product_id)
        left = purchases.c.quantity - int(row.quantity)
        await session.execute(update(purchases).where(*key).values(quantity=left))


async def _delete_jobs(session: AsyncSession, order_ids: Collection[str]) -> None:
    """The jobs that would have closed these orders; no more of them wait than orders of the last minutes, and those of `load`."""
    waiting = select(JobRow.id, JobRow.arguments).where(
        JobRow.name == "order.expire", JobRow.state == JobState.QUEUED
    )
    theirs = [row.id for row in await session.execute(waiting) if row.arguments.get("order_id") in order_ids]
    await session.execute(delete(JobRow).where(JobRow.id.in_(theirs)))


async def _delete_customers(session: AsyncSession) -> None:
    purchases, customers, users = table("shop_purchase"), table("shop_customer"), table("account_user")
    await session.execute(
        delete(purchases).where(or_(_is_demo(purchases.c.user_id), _is_demo(purchases.c.product_id)))
    )
    await session.execute(delete(customers).where(_is_demo(customers.c.id)))
    await session.execute(delete(users).where(_is_demo(users.c.id)))


async def _delete_products(session: AsyncSession) -> None:
    skus, products, figures = table("shop_sku"), table("shop_product"), table("shop_daily_product")
    # Also those that the staff has added to products of the demo.
    sku_ids = select(skus.c.id).where(_is_demo(skus.c.product_id))
    movements, stocks, items = table("shop_stock_movement"), table("shop_stock"), table("shop_banner_item")
    found = list(await session.scalars(sku_ids))
    await session.execute(delete(items).where(_is_demo(items.c.target_id)))
    for name in ("shop_banner", "shop_theme"):
        await session.execute(delete(table(name)).where(_is_demo(table(name).c.id)))
    await session.execute(delete(figures).where(_is_demo(figures.c.product_id)))
    await session.execute(delete(movements).where(movements.c.sku_id.in_(found)))
    await session.execute(delete(skus).where(_is_demo(skus.c.product_id)))
    await session.execute(delete(stocks).where(stocks.c.id.in_(found)))
    product_ids = list(await session.scalars(select(products.c.id).where(_is_demo(products.c.id))))
    await session.execute(delete(products).where(_is_demo(products.c.id)))
    for product_id in product_ids:
        await index_product(session, product_id)
    await _delete_unused(session)


async def _delete_unused(session: AsyncSession) -> None:
    """Categories and freight that nothing else uses."""
    categories, templates = table("shop_category"), table("shop_freight_template")
    products, below = table("shop_product"), categories.alias()
    used = or_(
        select(products.c.id).where(products.c.category_id == categories.c.id).exists(),
        categories.c.id.in_(select(below.c.parent_id).where(below.c.parent_id.is_not(None))),
    )
    # Read first: MySQL does not delete from a table that the condition reads.
    unused = list(await session.scalars(select(categories.c.id).where(_is_demo(categories.c.id), ~used)))
    await session.execute(delete(categories).where(categories.c.id.in_(unused)))
    sending = select(products.c.id).where(products.c.freight_template_id == templates.c.id).exists()
    await session.execute(delete(templates).where(_is_demo(templates.c.id), ~sending))

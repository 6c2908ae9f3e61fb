"""What can be done with carts. Who changes a cart takes turns, so that its limits hold; the order's `take_out` only removes."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Select, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth.principal import Principal
from xumi.kernel.db.read import fetch_all, primary
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.schema import SchemaBase
from xumi.modules.account.service.standing import lock_standing
from xumi.modules.shop.cart.constants import MAX_LINES, MAX_QUANTITY
from xumi.modules.shop.cart.enums import CutReason
from xumi.modules.shop.cart.errors import CartCode
from xumi.modules.shop.cart.models import CartLine
from xumi.modules.shop.cart.schemas import (
    CartLineInput,
    CartLineView,
    CartMerge,
    CartView,
    Cut,
    MergeReport,
)
from xumi.modules.shop.catalog import service as catalog
from xumi.modules.shop.stock import service as stock

__all__ = ["clear", "merge", "put", "read", "remove", "take_out"]

_LINES = (
    select(CartLine.sku_id, CartLine.quantity, CartLine.selected, CartLine.seen_price_fen)
    .where(CartLine.user_id == bindparam("user_id"))
    .order_by(CartLine.id.desc())
)


class _Line(SchemaBase):
    sku_id: str
    quantity: int
    selected: bool
    seen_price_fen: int


async def read(principal: Principal) -> CartView:
    """The caller's cart with present prices and stock."""
    with primary():
        lines = await fetch_all(_LINES, _Line, {"user_id": principal.user_id})
        if not lines:
            return CartView([], 0, 0)
        sku_ids = [line.sku_id for line in lines]
        offers, levels = await catalog.find_offers(sku_ids), await stock.find_levels(sku_ids)
    views = [
        _show(line, offer, levels[line.sku_id].available if line.sku_id in levels else 0)
        for line in lines
        # A SKU that was deleted between the two reads has left the cart.
        if (offer := offers.get(line.sku_id)) is not None
    ]
    counted = [view for view in views if view.selected and view.orderable]
    return CartView(
        views,
        sum(view.quantity for view in counted),
        sum(view.quantity * view.price_fen for view in counted),
    )


async def put(session: AsyncSession, principal: Principal, sku_id: str, data: CartLineInput) -> None:
    """Have so many pieces of a SKU in the caller's cart. What is there already can be changed though it is not on sale any more.

    Raises:
        APIException: NOT_FOUND, no such SKU; NOT_ON_SALE; CART_FULL; UNAUTHENTICATED, his account has just ended.
    """
    lines = await _lock_lines(session, principal.user_id)
    offer = (await catalog.find_offers([sku_id])).get(sku_id)
    if offer is None:
        raise APIException(APICode.NOT_FOUND)
    line = lines.get(sku_id)
    if line is None:
        if not offer.on_sale:
            raise APIException(CartCode.NOT_ON_SALE)
        if len(lines) >= MAX_LINES:
            raise APIException(CartCode.CART_FULL, limit=MAX_LINES)
        line = CartLine(user_id=principal.user_id, sku_id=sku_id)
        session.add(line)
    line.quantity, line.selected, line.seen_price_fen = data.quantity, data.selected, offer.price_fen


async def remove(session: AsyncSession, principal: Principal, sku_id: str) -> None:
    """Take a SKU out of the caller's cart; doing it twice changes nothing."""
    await take_out(session, principal.user_id, [sku_id])


async def clear(session: AsyncSession, principal: Principal) -> None:
    """Empty the caller's cart."""
    await _delete(session, CartLine.user_id == principal.user_id)


async def merge(session: AsyncSession, principal: Principal, data: CartMerge) -> MergeReport:
    """Take a guest's cart over: of each SKU the larger quantity counts, so that a request that is repeated changes nothing.

    Raises:
        APIException: UNAUTHENTICATED, his account has just ended.
    """
    asked: dict[str, int] = {}
    for guest in data.lines:
        asked[guest.sku_id] = max(guest.quantity, asked.get(guest.sku_id, 0))
    lines = await _lock_lines(session, principal.user_id)
    offers = await catalog.find_offers(asked)
    report = MergeReport([])
    for sku_id, quantity in asked.items():
        line, offer = lines.get(sku_id), offers.get(sku_id)
        kept = min(max(quantity, line.quantity if line else 0), MAX_QUANTITY)
        if offer is None or not offer.on_sale:
            report.cut.append(Cut(sku_id, quantity, line.quantity if line else 0, CutReason.NOT_ON_SALE))
            continue
        if line is None and len(lines) >= MAX_LINES:
            report.cut.append(Cut(sku_id, quantity, 0, CutReason.LINES))
            continue
        if quantity > kept:
            report.cut.append(Cut(sku_id, quantity, kept, CutReason.QUANTITY))
        if line is not None:
            line.quantity = kept
            continue
        lines[sku_id] = CartLine(
            user_id=principal.user_id,
            sku_id=sku_id,
            quantity=kept,
            selected=True,
            seen_price_fen=offer.price_fen,
        )
        session.add(lines[sku_id])
    return report


async def take_out(session: AsyncSession, user_id: str, sku_ids: Iterable[str]) -> None:
    """Remove what was bought from a customer's cart; what is not in it does not matter."""
    await _delete(session, CartLine.user_id == user_id, CartLine.sku_id.in_(sorted(sku_ids)))


async def _delete(session: AsyncSession, *conditions: ColumnElement[bool]) -> None:
    # Locked in the order in which `_lock_lines` does it, so that the two cannot wait for each other.
    found = (await session.scalars(_in_order(*conditions))).all()
    await session.execute(delete(CartLine).where(CartLine.id.in_([line.id for line in found])))


def _in_order(*conditions: ColumnElement[bool]) -> Select[CartLine]:
    return select(CartLine).where(*conditions).order_by(CartLine.sku_id).with_for_update()


async def _lock_lines(session: AsyncSession, user_id: str) -> dict[str, CartLine]:
    """A customer's lines by SKU; nobody else changes them until the transaction ends, except by removing some."""
    if await lock_standing(session, user_id) is None:
        raise APIException(APICode.UNAUTHENTICATED)
    # Locked too: a line that an order takes out meanwhile is either gone already or waits until it was changed.
    found = await session.scalars(_in_order(CartLine.user_id == user_id))
    return {line.sku_id: line for line in found}


def _show(line: _Line, offer: catalog.Offer, available: int) -> CartLineView:
    return CartLineView(
        sku_id=line.sku_id,
        product_id=offer.product_id,
        code=offer.code,
        name=offer.name,
        options=offer.options,
        picture=offer.picture,
        quantity=line.quantity,
        selected=line.selected,
        price_fen=offer.price_fen,
        seen_price_fen=line.seen_price_fen,
        price_changed=offer.price_fen != line.seen_price_fen,
        available=available,
        on_sale=offer.on_sale,
        orderable=offer.on_sale and line.quantity <= available,
    )

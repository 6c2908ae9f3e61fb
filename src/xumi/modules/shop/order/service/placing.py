"""Placing orders: what is bought is counted, reserved and written down in one transaction."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth.principal import Principal
from xumi.kernel.config import section
from xumi.kernel.db.session import insert_last, lock_last
from xumi.kernel.errors import APIException, FieldError
from xumi.kernel.events.outbox import publish
from xumi.kernel.ids import generate_key
from xumi.modules.shop.address import service as addresses
from xumi.modules.shop.cart import service as cart
from xumi.modules.shop.order.enums import OrderState
from xumi.modules.shop.order.errors import OrderCode
from xumi.modules.shop.order.events import OrderPlaced
from xumi.modules.shop.order.models import Order, OrderLine
from xumi.modules.shop.order.schemas.placing import (
    OrderCreate,
    OrderPlacedOut,
    OrderPreview,
    OrderPreviewOut,
    PreviewLineOut,
)
from xumi.modules.shop.order.service import limit, machine
from xumi.modules.shop.order.service.expiry import expire_later
from xumi.modules.shop.order.service.number import make_number
from xumi.modules.shop.order.service.quote import Quote, QuotedLine, check_prices, make_quote
from xumi.modules.shop.order.settings import OrderSettings
from xumi.modules.shop.stock import service as stock


async def preview(session: AsyncSession, principal: Principal, data: OrderPreview) -> OrderPreviewOut:
    """What an order would cost now; nothing is reserved.

    Raises:
        APIException: NOT_FOUND, there is no such address; see `make_quote`.
    """
    province = None
    if data.address_id is not None:
        province = (await addresses.get_address(principal.user_id, data.address_id)).province
    quote = await make_quote(session, principal.user_id, data.lines, province)
    levels = await stock.find_levels(line.offer.sku_id for line in quote.lines)
    lines = [_preview_line(line, levels[line.offer.sku_id].available) for line in quote.lines]
    return OrderPreviewOut(
        lines=lines,
        goods_fen=quote.goods_fen,
        freight_fen=quote.freight_fen,
        discount_fen=quote.discount_fen,
        total_fen=quote.total_fen,
        orderable=all(line.on_sale and line.quantity <= line.available for line in lines),
    )


def _preview_line(line: QuotedLine, available: int) -> PreviewLineOut:
    offer = line.offer
    return PreviewLineOut(
        sku_id=offer.sku_id,
        product_id=offer.product_id,
        name=offer.name,
        options=offer.options,
        picture=offer.picture,
        price_fen=offer.price_fen,
        quantity=line.quantity,
        discount_fen=line.discount_fen,
        total_fen=line.total_fen,
        available=available,
        on_sale=offer.on_sale,
    )


async def place(session: AsyncSession, principal: Principal, data: OrderCreate) -> OrderPlacedOut:
    """Place an order.

    Raises:
        APIException: NOT_FOUND (`address_id`); OFF_SALE, PRICE_CHANGED, OUT_OF_STOCK or LIMIT_REACHED, naming the lines;
            NOT_DELIVERED; DISCOUNT_TOO_HIGH.
    """
    address = await addresses.get_address(principal.user_id, data.address_id)
    quote = await make_quote(session, principal.user_id, data.lines, address.province)
    check_prices(quote, data.lines)
    if data.from_cart:
        await cart.take_out(session, principal.user_id, [line.sku_id for line in data.lines])
    seconds = section(OrderSettings).reservation_seconds
    at = clock.now()
    placed = OrderPlacedOut(
        number=make_number(), total_fen=quote.total_fen, expires_at=at + timedelta(seconds=seconds)
    )
    order_id = generate_key()
    insert_last(
        Order,
        id=order_id,
        number=placed.number,
        user_id=principal.user_id,
        state=OrderState.UNPAID,
        goods_fen=quote.goods_fen,
        freight_fen=quote.freight_fen,
        discount_fen=quote.discount_fen,
        total_fen=quote.total_fen,
        address=address.model_dump(),
        note=data.note,
        expires_at=placed.expires_at,
        created_at=at,
    )
    machine.note(order_id, None, OrderState.UNPAID)
    # Lines are read in the order of their ids, which is to be the customer's.
    ids = sorted(generate_key() for _ in quote.lines)
    for key, line in zip(ids, quote.lines, strict=True):
        _insert_line(order_id, key, line)
    await expire_later(order_id, seconds)
    publish(
        OrderPlaced(
            order_id=order_id,
            number=placed.number,
            user_id=principal.user_id,
            total_fen=quote.total_fen,
            at=at,
        )
    )
    _take_pieces(principal.user_id, order_id, quote)
    return placed


def _insert_line(order_id: str, key: str, line: QuotedLine) -> None:
    offer = line.offer
    insert_last(
        OrderLine,
        id=key,
        order_id=order_id,
        sku_id=offer.sku_id,
        product_id=offer.product_id,
        sku_code=offer.code,
        name=offer.name,
        options=offer.options,
        picture=offer.picture,
        price_fen=offer.price_fen,
        quantity=line.quantity,
        discount_fen=line.discount_fen,
        total_fen=line.total_fen,
        limited=offer.limit_per_user is not None,
    )


def _take_pieces(user_id: str, order_id: str, quote: Quote) -> None:
    """At the end of the transaction: at a sale all orders wait for the same rows of purchases and of stock."""
    limited: dict[str, tuple[int, int]] = {}
    for line in quote.lines:
        if line.offer.limit_per_user is not None:
            pieces, _ = limited.get(line.offer.product_id, (0, 0))
            limited[line.offer.product_id] = (pieces + line.quantity, line.offer.limit_per_user)
    if limited:
        lock_last(partial(_check_limits, user_id=user_id, limited=limited, quote=quote))
    quantities = {line.offer.sku_id: line.quantity for line in quote.lines}
    stock.reserve(quantities, order_id, partial(_refuse_short, quote))


async def _check_limits(
    session: AsyncSession, *, user_id: str, limited: Mapping[str, tuple[int, int]], quote: Quote
) -> None:
    over = await limit.take(session, user_id, limited)
    if over is not None:
        errors = [
            FieldError(f"lines.{n}.quantity", f"each customer can buy {line.offer.limit_per_user} of these")
            for n, line in enumerate(quote.lines)
            if line.offer.product_id == over
        ]
        raise APIException(OrderCode.LIMIT_REACHED, errors=errors)


def _refuse_short(quote: Quote, left: Mapping[str, int]) -> APIException:
    errors = [
        FieldError(f"lines.{n}.quantity", f"{line.offer.code}: {left[line.offer.sku_id]} left")
        for n, line in enumerate(quote.lines)
        if line.offer.sku_id in left
    ]
    return APIException(stock.StockCode.OUT_OF_STOCK, errors=errors)

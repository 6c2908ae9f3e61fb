"""Placing orders: what is bought is counted, reserved and written down in one transaction."""

from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth.principal import Principal
from xumi.kernel.config import section
from xumi.kernel.db.bulk import insert_many
from xumi.kernel.errors import APICode, APIException, FieldError
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
    WantedLine,
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
        address = await addresses.get_address(session, principal.user_id, data.address_id)
        province = address.province
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
            NOT_DELIVERED; DISCOUNT_TOO_HIGH; TRANSACTION_CONFLICT, try again.
    """
    address = await addresses.get_address(session, principal.user_id, data.address_id)
    quote = await make_quote(session, principal.user_id, data.lines, address.province)
    check_prices(quote, data.lines)
    seconds = section(OrderSettings).reservation_seconds
    order = Order(
        id=generate_key(),
        number=make_number(),
        user_id=principal.user_id,
        state=OrderState.UNPAID,
        goods_fen=quote.goods_fen,
        freight_fen=quote.freight_fen,
        discount_fen=quote.discount_fen,
        total_fen=quote.total_fen,
        address=addresses.AddressSnapshot.model_validate(address).model_dump(),
        note=data.note,
        expires_at=clock.now() + timedelta(seconds=seconds),
    )
    session.add(order)
    try:
        await session.flush()
    except IntegrityError as error:
        # The number is taken: once in millions of orders.
        raise APIException(APICode.TRANSACTION_CONFLICT) from error
    machine.note(session, order, None)
    # Lines are read in the order of their ids, which is to be the customer's.
    ids = sorted(generate_key() for _ in quote.lines)
    rows = [_line(order, line) | {"id": key} for key, line in zip(ids, quote.lines, strict=True)]
    await insert_many(session, OrderLine, rows)
    if data.from_cart:
        await cart.take_out(session, principal.user_id, [line.sku_id for line in data.lines])
    await expire_later(order.id, seconds)
    publish(
        OrderPlaced(
            order_id=order.id,
            number=order.number,
            user_id=order.user_id,
            total_fen=order.total_fen,
            at=order.created_at,
        )
    )
    await _take_pieces(session, order, quote, data.lines)
    return OrderPlacedOut.model_validate(order)


def _line(order: Order, line: QuotedLine) -> dict[str, object]:
    offer = line.offer
    return {
        "order_id": order.id,
        "sku_id": offer.sku_id,
        "product_id": offer.product_id,
        "sku_code": offer.code,
        "name": offer.name,
        "options": offer.options,
        "picture": offer.picture,
        "price_fen": offer.price_fen,
        "quantity": line.quantity,
        "discount_fen": line.discount_fen,
        "total_fen": line.total_fen,
        "limited": offer.limit_per_user is not None,
    }


async def _take_pieces(session: AsyncSession, order: Order, quote: Quote, wanted: list[WantedLine]) -> None:
    """What others wait for comes last: the rows of purchases and of stock are locked until the commit."""
    limited: dict[str, tuple[int, int]] = {}
    for line in quote.lines:
        if line.offer.limit_per_user is not None:
            pieces, _ = limited.get(line.offer.product_id, (0, 0))
            limited[line.offer.product_id] = (pieces + line.quantity, line.offer.limit_per_user)
    over = await limit.take(session, order.user_id, limited)
    if over is not None:
        errors = [
            FieldError(f"lines.{n}.quantity", f"each customer can buy {line.offer.limit_per_user} of these")
            for n, line in enumerate(quote.lines)
            if line.offer.product_id == over
        ]
        raise APIException(OrderCode.LIMIT_REACHED, errors=errors)
    try:
        await stock.reserve(session, {line.sku_id: line.quantity for line in wanted}, order.id)
    except stock.OutOfStock as short:
        codes = {line.offer.sku_id: line.offer.code for line in quote.lines}
        errors = [
            FieldError(f"lines.{n}.quantity", f"{codes[line.sku_id]}: {short.left[line.sku_id]} left")
            for n, line in enumerate(wanted)
            if line.sku_id in short.left
        ]
        raise APIException(stock.StockCode.OUT_OF_STOCK, errors=errors) from short

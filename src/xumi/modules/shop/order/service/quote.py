"""What an order costs: prices, freight and discounts, all found here and none taken from the client."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.errors import APIException, FieldError
from xumi.modules.shop.catalog import service as catalog
from xumi.modules.shop.freight import service as freight
from xumi.modules.shop.order.errors import OrderCode
from xumi.modules.shop.order.schemas.placing import PreviewLine, WantedLine
from xumi.modules.shop.order.service.discount import Priced, count_discount, split


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A line with its price and its part of the discount."""

    offer: catalog.Offer
    quantity: int
    discount_fen: int

    @property
    def total_fen(self) -> int:
        """What the line costs."""
        return self.offer.price_fen * self.quantity - self.discount_fen


@dataclass(frozen=True, slots=True)
class Quote:
    """What an order costs, in fen."""

    lines: list[QuotedLine]
    goods_fen: int
    freight_fen: int
    discount_fen: int

    @property
    def total_fen(self) -> int:
        """What is to be paid."""
        return self.goods_fen + self.freight_fen - self.discount_fen


async def make_quote(
    session: AsyncSession, user_id: str, wanted: Sequence[PreviewLine], province: str | None
) -> Quote:
    """Count what these lines cost now.

    Args:
        session: the transaction in which prices are read.
        user_id: whose discounts count.
        wanted: SKUs and how many of each; each SKU once.
        province: where it is sent; without one freight is 0.

    Raises:
        APIException: OFF_SALE (`lines.<n>.sku_id`), there is no such SKU; NOT_DELIVERED; DISCOUNT_TOO_HIGH.
    """
    offers = await catalog.find_offers(line.sku_id for line in wanted)
    missing = [n for n, line in enumerate(wanted) if line.sku_id not in offers]
    if missing:
        raise refuse_off_sale(missing)
    pairs = [(offers[line.sku_id], line.quantity) for line in wanted]
    priced = [Priced(offer.sku_id, offer.product_id, offer.price_fen, count) for offer, count in pairs]
    goods = [line.goods_fen for line in priced]
    discount_fen = await count_discount(session, user_id, priced)
    freight_fen = 0
    if province is not None:
        parcels = [
            freight.Parcel(offer.freight_template_id, count, offer.weight_grams, offer.price_fen * count)
            for offer, count in pairs
        ]
        freight_fen = await freight.count_freight(parcels, province)
    parts = split(discount_fen, goods)
    lines = [QuotedLine(offer, count, part) for (offer, count), part in zip(pairs, parts, strict=True)]
    return Quote(lines, sum(goods), freight_fen, discount_fen)


def check_prices(quote: Quote, wanted: Sequence[WantedLine]) -> None:
    """Refuse what the customer has not seen so.

    Raises:
        APIException: OFF_SALE (`lines.<n>.sku_id`); PRICE_CHANGED (`lines.<n>.price_fen`), with the new price.
    """
    off_sale = [n for n, line in enumerate(quote.lines) if not line.offer.on_sale]
    if off_sale:
        raise refuse_off_sale(off_sale)
    changed = [
        FieldError(f"lines.{n}.price_fen", f"{line.offer.code} costs {line.offer.price_fen} fen now")
        for n, (line, seen) in enumerate(zip(quote.lines, wanted, strict=True))
        if line.offer.price_fen != seen.price_fen
    ]
    if changed:
        raise APIException(OrderCode.PRICE_CHANGED, errors=changed)


def refuse_off_sale(places: Sequence[int]) -> APIException:
    """The refusal of the lines at these places."""
    errors = [FieldError(f"lines.{n}.sku_id", "is not on sale") for n in places]
    return APIException(OrderCode.OFF_SALE, errors=errors)

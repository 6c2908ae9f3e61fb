"""What other features know of the catalogue: offers and cards."""

from collections.abc import Iterable
from typing import Any, cast

from sqlalchemy import and_, bindparam, func, select

from xumi.kernel.db.read import fetch_all, primary
from xumi.kernel.schema import SchemaBase
from xumi.modules.shop.catalog.enums import ProductState
from xumi.modules.shop.catalog.models import Product, Sku
from xumi.modules.shop.catalog.schemas.product import ProductCard
from xumi.modules.shop.catalog.schemas.sku import Offer

COVER = cast(Any, Product.pictures)[0].as_string()
"""A product's first picture."""
ON_SALE = Product.state == ProductState.ON_SALE

_OFFERS = (
    select(
        Sku.id.label("sku_id"),
        Product.id.label("product_id"),
        Sku.code,
        Product.name,
        Sku.options,
        func.coalesce(Sku.picture, COVER).label("picture"),
        Sku.price_fen,
        Sku.weight_grams,
        Product.freight_template_id,
        Product.limit_per_user,
        and_(ON_SALE, Sku.enabled).label("on_sale"),
    )
    .join(Product, Product.id == Sku.product_id)
    .where(Sku.id.in_(bindparam("sku_ids", expanding=True)))
)
CARD = select(Product.id, Product.name, COVER.label("picture"), Product.price_fen, ON_SALE.label("on_sale"))
"""What `make_card` needs of a product."""
_CARDS = CARD.where(Product.id.in_(bindparam("ids", expanding=True)))


class CardRow(SchemaBase):
    """A row of `CARD`."""

    id: str
    name: str
    picture: str | None
    price_fen: int
    on_sale: bool


def make_card(row: CardRow) -> ProductCard:
    """A product as other features and themes show it."""
    return ProductCard(row.id, row.name, row.picture, row.price_fen, row.on_sale)


async def find_offers(sku_ids: Iterable[str]) -> dict[str, Offer]:
    """The SKUs with these ids, also those that are not on sale; ids of nothing are left out. At most some hundred."""
    ids = sorted(set(sku_ids))
    if not ids:
        return {}
    with primary():
        offers = await fetch_all(_OFFERS, Offer, {"sku_ids": ids})
    return {offer.sku_id: offer for offer in offers}


async def find_products(ids: Iterable[str]) -> dict[str, ProductCard]:
    """The products with these ids, also those that are not on sale; ids of nothing are left out. At most some hundred."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = await fetch_all(_CARDS, CardRow, {"ids": wanted})
    return {row.id: make_card(row) for row in rows}

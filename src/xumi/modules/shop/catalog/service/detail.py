"""One product as customers see it, in one statement."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, select

from xumi.kernel.db.read import get_one
from xumi.kernel.db.totals import tables_of
from xumi.kernel.schema import SchemaBase
from xumi.modules.shop.catalog.models import Product, Sku
from xumi.modules.shop.catalog.schemas.product import ProductDetail
from xumi.modules.shop.catalog.schemas.sku import SkuView
from xumi.modules.shop.catalog.service.aggregate import JsonObjects
from xumi.modules.shop.catalog.service.memory import remember
from xumi.modules.shop.catalog.service.offer import ON_SALE
from xumi.modules.shop.stock.service.joining import LEVELS

_SKUS = (
    select(
        JsonObjects(
            id=Sku.__table__.c.id,
            code=Sku.__table__.c.code,
            options=Sku.__table__.c.options,
            price_fen=Sku.__table__.c.price_fen,
            list_price_fen=Sku.__table__.c.list_price_fen,
            weight_grams=Sku.__table__.c.weight_grams,
            picture=Sku.__table__.c.picture,
            available=LEVELS.c.available,
            order=Sku.__table__.c.order,
        )
    )
    .select_from(Sku)
    .join(LEVELS, LEVELS.c.id == Sku.id)
    .where(Sku.product_id == Product.id, Sku.enabled)
    .correlate(Product)
    .scalar_subquery()
    .label("skus")
)
_DETAIL = select(
    Product.id,
    Product.code,
    Product.name,
    Product.subtitle,
    Product.category_id,
    Product.pictures,
    Product.properties,
    Product.description,
    Product.price_fen,
    Product.limit_per_user,
    Product.on_sale_at,
    _SKUS,
).where(Product.id == bindparam("product_id"), ON_SALE)

_TABLES = tables_of(_DETAIL)
_decode_skus = msgspec.json.Decoder(list[SkuView]).decode


class _Row(SchemaBase):
    id: str
    code: str
    name: str
    subtitle: str | None
    category_id: str
    pictures: list[Any]
    properties: list[Any]
    description: str
    price_fen: int
    limit_per_user: int | None
    on_sale_at: datetime
    skus: str | None


async def read_detail(product_id: str) -> ProductDetail:
    """A product on sale with its enabled SKUs and what is left of each, all of one moment.

    The moment is now, or at most 2 s ago if other processes have changed something since then.

    Raises:
        APIException: NOT_FOUND; it is not on sale.
    """
    return await remember(f"shop:product:{product_id}", lambda: _read_detail(product_id), _TABLES)


async def _read_detail(product_id: str) -> ProductDetail:
    row = await get_one(_DETAIL, _Row, {"product_id": product_id})
    skus = _decode_skus(row.skus or "[]")
    skus.sort(key=_place)
    return ProductDetail(
        row.id,
        row.code,
        row.name,
        row.subtitle,
        row.category_id,
        row.pictures,
        row.properties,
        row.description,
        row.price_fen,
        row.limit_per_user,
        row.on_sale_at,
        skus,
    )


def _place(sku: SkuView) -> tuple[int, str]:
    return sku.order, sku.id

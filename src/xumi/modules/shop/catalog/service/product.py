"""Products as the staff keeps them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import get_one, primary
from xumi.kernel.errors import APIException
from xumi.kernel.ids import generate_key
from xumi.modules.audit.service import record
from xumi.modules.shop.catalog.constants import PRODUCTS_TAG
from xumi.modules.shop.catalog.enums import BannerTarget, ProductState
from xumi.modules.shop.catalog.errors import CatalogCode
from xumi.modules.shop.catalog.models import BannerItem, Product, Sku
from xumi.modules.shop.catalog.repository import forget, lock_product, refuse, refuse_taken
from xumi.modules.shop.catalog.schemas.product import (
    ProductChange,
    ProductCreate,
    ShopProductListed,
    ShopProductOut,
    ShopProductQuery,
    ShopProductWithSkus,
)
from xumi.modules.shop.catalog.schemas.sku import SkuOut
from xumi.modules.shop.catalog.service.category import check_category
from xumi.modules.shop.catalog.service.offer import COVER
from xumi.modules.shop.catalog.service.richtext import clean_html
from xumi.modules.shop.catalog.service.search import index_product
from xumi.modules.shop.catalog.service.sku import add_skus, read_skus, remove_skus, settle
from xumi.modules.shop.freight import service as freight

SHOP_LISTED = select(
    Product.id,
    Product.code,
    Product.name,
    Product.category_id,
    Product.state,
    COVER.label("picture"),
    Product.price_fen,
    Product.on_sale_at,
    Product.created_at,
)
"""What lists of the staff show of products."""

_FILTERS = {
    Product.code: FilterTypeEnum.Like,
    Product.name: FilterTypeEnum.Like,
    Product.category_id: FilterTypeEnum.Equals,
    Product.state: FilterTypeEnum.Equals,
}
_SORTABLE = [Product.code, Product.name, Product.price_fen, Product.on_sale_at, Product.created_at]
_CAN_BE_EMPTY = frozenset(("subtitle", "freight_template_id", "limit_per_user"))


async def list_products(query: ShopProductQuery) -> PaginateResponse[ShopProductListed]:
    """The products that are wanted, in whichever state, the newest first."""
    statement = add_filters(SHOP_LISTED, query, _FILTERS)
    return await paginate_query(
        statement,
        query,
        ShopProductListed,
        sortable=_SORTABLE,
        default_sort="-created_at",
        counts=("cached", "exact", "none"),
    )


async def get_product(product_id: str) -> ShopProductWithSkus:
    """One product with all its SKUs.

    Raises:
        APIException: NOT_FOUND.
    """
    with primary():
        found = await get_one(select(Product).where(Product.id == product_id), ShopProductOut)
        skus = await read_skus(product_id)
    values = {name: getattr(found, name) for name in ShopProductOut.model_fields}
    return ShopProductWithSkus(**values, skus=[SkuOut.model_validate(sku) for sku in skus])


async def create(session: AsyncSession, data: ProductCreate) -> str:
    """Make a product with its SKUs, as a draft; returns its id.

    Raises:
        APIException: VALIDATION_FAILED (`category_id`, `freight_template_id`, `description`); DUPLICATE (`code`); OPTIONS_TAKEN.
    """
    values = await _prepare(session, data.model_dump(exclude={"skus"}))
    product = Product(id=generate_key(), **values)
    session.add(product)
    await index_product(session, product.id)
    record(session, "product.created", f"product:{product.id}", None, values)
    if data.skus:
        await add_skus(session, product, data.skus)
    return product.id


async def change(session: AsyncSession, product_id: str, data: ProductChange) -> None:
    """Set what `data` holds.

    Raises:
        APIException: NOT_FOUND, and what `create` raises.
    """
    product = await lock_product(session, product_id)
    given = data.model_dump(exclude_unset=True)
    wanted = {name: value for name, value in given.items() if value is not None or name in _CAN_BE_EMPTY}
    differing = {name: value for name, value in wanted.items() if getattr(product, name) != value}
    await _set(session, product, "updated", await _prepare(session, differing))
    await index_product(session, product_id)


async def set_state(session: AsyncSession, product_id: str, state: ProductState) -> None:
    """Put a product on sale or off it; the same state again changes nothing.

    Raises:
        APIException: NOT_FOUND; NOTHING_TO_SELL, it has no enabled SKU.
    """
    product = await lock_product(session, product_id)
    if product.state is state:
        return
    values: dict[str, Any] = {"state": state}
    if state is ProductState.ON_SALE:
        values["on_sale_at"] = clock.now()
    before = {"state": product.state.value}
    for name, value in values.items():
        setattr(product, name, value)
    await settle(session, product)
    record(session, "product.state-set", f"product:{product_id}", before, {"state": state.value})
    await forget(PRODUCTS_TAG)


async def reorder_pictures(session: AsyncSession, product_id: str, pictures: list[str]) -> None:
    """Give a product's pictures another order.

    Raises:
        APIException: NOT_FOUND; PICTURES_CHANGED, these are not its pictures.
    """
    product = await lock_product(session, product_id)
    if sorted(pictures) != sorted(product.pictures):
        raise APIException(CatalogCode.PICTURES_CHANGED)
    await _set(session, product, "pictures-reordered", {"pictures": pictures})


async def remove(session: AsyncSession, product_id: str) -> None:
    """Delete a product that was never sold, with its SKUs; themes, carts and favourites lose it.

    Raises:
        APIException: NOT_FOUND; IN_USE, it was sold, or a banner leads to it.
    """
    product = await lock_product(session, product_id)
    leading = select(BannerItem.id).where(
        BannerItem.target == BannerTarget.PRODUCT, BannerItem.target_id == product_id
    )
    if await session.scalar(leading.limit(1)) is not None:
        raise APIException(CatalogCode.IN_USE)
    skus = (await session.scalars(select(Sku).where(Sku.product_id == product_id))).all()
    await remove_skus(session, skus)
    record(session, "product.deleted", f"product:{product_id}", {"code": product.code}, None)
    await session.delete(product)
    await index_product(session, product_id)
    await forget(PRODUCTS_TAG)


async def _prepare(session: AsyncSession, values: dict[str, Any]) -> dict[str, Any]:
    """Check what is to be stored of a product, and reduce its description."""
    if "code" in values and await session.scalar(select(Product.id).where(Product.code == values["code"])):
        raise refuse_taken("code")
    if "category_id" in values:
        await check_category(session, values["category_id"])
    template_id = values.get("freight_template_id")
    if template_id is not None and not await freight.has_template(session, template_id):
        raise refuse("freight_template_id", "there is no such freight template")
    if "description" in values:
        values["description"] = clean_html(values["description"])
    return values


async def _set(session: AsyncSession, product: Product, action: str, values: Mapping[str, Any]) -> None:
    before = {name: getattr(product, name) for name in values}
    for name, value in values.items():
        setattr(product, name, value)
    record(session, f"product.{action}", f"product:{product.id}", before, values)
    await forget(PRODUCTS_TAG)

"""Themes: as customers see them, and as the staff keeps them."""

from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.cache import cached
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_all, get_one, primary
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.ids import generate_key
from xumi.kernel.schema import SchemaBase
from xumi.modules.audit.service import record
from xumi.modules.shop.catalog.constants import BANNERS_TAG, CACHE_SECONDS, PRODUCTS_TAG, THEMES_TAG
from xumi.modules.shop.catalog.enums import BannerTarget
from xumi.modules.shop.catalog.errors import CatalogCode
from xumi.modules.shop.catalog.models import BannerItem, Product, Theme, ThemeProduct
from xumi.modules.shop.catalog.repository import forget, refuse
from xumi.modules.shop.catalog.schemas.product import ProductCard
from xumi.modules.shop.catalog.schemas.topic import (
    ThemeDetail,
    ThemeIn,
    ThemeOut,
    ThemeProducts,
    ThemeQuery,
    ThemeView,
    ThemeWithProducts,
)
from xumi.modules.shop.catalog.service.offer import CARD, CardRow, make_card

_SHOWN = select(Theme).where(Theme.hidden.is_(False)).order_by(Theme.order, Theme.id)
_ONE_SHOWN = _SHOWN.where(Theme.id == bindparam("theme_id"))
_CARDS = (
    CARD.join(ThemeProduct, ThemeProduct.product_id == Product.id)
    .where(ThemeProduct.theme_id == bindparam("theme_id"))
    .order_by(ThemeProduct.order, ThemeProduct.id)
)
_PRODUCT_IDS = (
    select(ThemeProduct.product_id)
    .where(ThemeProduct.theme_id == bindparam("theme_id"))
    .order_by(ThemeProduct.order, ThemeProduct.id)
)


class _ProductId(SchemaBase):
    product_id: str


@cached(key="shop:themes", ttl_seconds=CACHE_SECONDS, tags=(THEMES_TAG,))
async def read_shown() -> list[ThemeView]:
    """The themes that customers see, in order."""
    rows = await fetch_all(_SHOWN, ThemeOut)
    return [ThemeView(row.id, row.name, row.subtitle, row.topic_picture) for row in rows]


@cached(key="shop:theme:{theme_id}", ttl_seconds=CACHE_SECONDS, tags=(THEMES_TAG, PRODUCTS_TAG))
async def read_detail(theme_id: str) -> ThemeDetail:
    """A theme that customers see, with its products.

    Raises:
        APIException: NOT_FOUND.
    """
    row = await get_one(_ONE_SHOWN, ThemeOut, {"theme_id": theme_id})
    cards = map(make_card, await fetch_all(_CARDS, CardRow, {"theme_id": theme_id}))
    products: list[ProductCard] = [card for card in cards if card.on_sale]
    return ThemeDetail(row.id, row.name, row.subtitle, row.topic_picture, row.head_picture, products)


async def list_themes(query: ThemeQuery) -> PaginateResponse[ThemeOut]:
    """The themes that are wanted, in order."""
    statement = add_filters(select(Theme), query, {Theme.name: FilterTypeEnum.Like})
    return await paginate_query(
        statement, query, ThemeOut, sortable=[Theme.order, Theme.name], default_sort="order"
    )


async def get_theme(theme_id: str) -> ThemeWithProducts:
    """One theme with all its products.

    Raises:
        APIException: NOT_FOUND.
    """
    with primary():
        found = await get_one(select(Theme).where(Theme.id == theme_id), ThemeOut)
        rows = await fetch_all(_PRODUCT_IDS, _ProductId, {"theme_id": theme_id})
    values = {name: getattr(found, name) for name in ThemeOut.model_fields}
    return ThemeWithProducts(**values, product_ids=[row.product_id for row in rows])


async def create(session: AsyncSession, data: ThemeIn) -> str:
    """Make a theme without products; returns its id."""
    theme = Theme(id=generate_key(), **data.model_dump())
    session.add(theme)
    record(session, "theme.created", f"theme:{theme.id}", None, data.model_dump())
    await forget(THEMES_TAG)
    return theme.id


async def replace(session: AsyncSession, theme_id: str, data: ThemeIn) -> None:
    """Set all of a theme but its products.

    Raises:
        APIException: NOT_FOUND.
    """
    theme = await _lock(session, theme_id)
    values: dict[str, Any] = data.model_dump()
    before = {name: getattr(theme, name) for name in values}
    for name, value in values.items():
        setattr(theme, name, value)
    record(session, "theme.replaced", f"theme:{theme_id}", before, values)
    await forget(THEMES_TAG, BANNERS_TAG)


async def set_products(session: AsyncSession, theme_id: str, data: ThemeProducts) -> None:
    """Set all products of a theme.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED (`product_ids`), one is not there or comes twice.
    """
    await _lock(session, theme_id)
    wanted = data.product_ids
    known = set(await session.scalars(select(Product.id).where(Product.id.in_(wanted))))
    for index, product_id in enumerate(wanted):
        if product_id not in known:
            raise refuse(f"product_ids.{index}", "there is no such product, or it comes twice")
        known.remove(product_id)
    before = list(await session.scalars(_PRODUCT_IDS, {"theme_id": theme_id}))
    await session.execute(delete(ThemeProduct).where(ThemeProduct.theme_id == theme_id))
    session.add_all(
        ThemeProduct(theme_id=theme_id, product_id=product_id, order=order)
        for order, product_id in enumerate(wanted)
    )
    told = {"product_ids": before}, {"product_ids": wanted}
    record(session, "theme.products-set", f"theme:{theme_id}", *told)
    await forget(THEMES_TAG)


async def remove(session: AsyncSession, theme_id: str) -> None:
    """Delete a theme; its products stay.

    Raises:
        APIException: NOT_FOUND; IN_USE, a banner leads to it.
    """
    theme = await _lock(session, theme_id)
    leading = select(BannerItem.id).where(
        BannerItem.target == BannerTarget.THEME, BannerItem.target_id == theme_id
    )
    if await session.scalar(leading.limit(1)) is not None:
        raise APIException(CatalogCode.IN_USE)
    record(session, "theme.deleted", f"theme:{theme_id}", {"name": theme.name}, None)
    await session.delete(theme)
    await forget(THEMES_TAG)


async def _lock(session: AsyncSession, theme_id: str) -> Theme:
    theme = await session.get(Theme, theme_id, with_for_update=True, populate_existing=True)
    if theme is None:
        raise APIException(APICode.NOT_FOUND)
    return theme

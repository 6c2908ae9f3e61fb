"""Banners: as customers see them, and as the staff keeps them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.cache import cached
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_all, get_one, primary
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.ids import generate_key
from xumi.modules.audit.service import record
from xumi.modules.shop.catalog.constants import BANNERS_TAG, CACHE_SECONDS, PRODUCTS_TAG, THEMES_TAG
from xumi.modules.shop.catalog.enums import BannerTarget
from xumi.modules.shop.catalog.models import Banner, BannerItem, Product, Theme
from xumi.modules.shop.catalog.repository import forget, refuse, refuse_taken
from xumi.modules.shop.catalog.schemas.fields import check_path
from xumi.modules.shop.catalog.schemas.topic import (
    BannerIn,
    BannerItemIn,
    BannerItemOut,
    BannerItems,
    BannerItemView,
    BannerOut,
    BannerQuery,
    BannerView,
    BannerWithItems,
)
from xumi.modules.shop.catalog.service.offer import ON_SALE

_SHOWN = select(Banner).where(Banner.code == bindparam("code"), Banner.hidden.is_(False))
_ITEMS = (
    select(BannerItem.picture, BannerItem.target, BannerItem.target_id)
    .where(BannerItem.banner_id == bindparam("banner_id"))
    .order_by(BannerItem.order, BannerItem.id)
)
_SHOWN_ITEMS = _ITEMS.where(
    or_(
        BannerItem.target == BannerTarget.PAGE,
        exists().where(
            BannerItem.target == BannerTarget.PRODUCT, Product.id == BannerItem.target_id, ON_SALE
        ),
        exists().where(
            BannerItem.target == BannerTarget.THEME, Theme.id == BannerItem.target_id, Theme.hidden.is_(False)
        ),
    )
)


@cached(key="shop:banner:{code}", ttl_seconds=CACHE_SECONDS, tags=(BANNERS_TAG, PRODUCTS_TAG, THEMES_TAG))
async def read_shown(code: str) -> BannerView:
    """A banner that customers see, with what leads to something that they see.

    Raises:
        APIException: NOT_FOUND.
    """
    row = await get_one(_SHOWN, BannerOut, {"code": code})
    items = await fetch_all(_SHOWN_ITEMS, BannerItemOut, {"banner_id": row.id})
    return BannerView(
        row.code, row.name, [BannerItemView(each.picture, each.target, each.target_id) for each in items]
    )


async def list_banners(query: BannerQuery) -> PaginateResponse[BannerOut]:
    """The banners that are wanted, by code."""
    statement = add_filters(select(Banner), query, {Banner.code: FilterTypeEnum.Like})
    return await paginate_query(statement, query, BannerOut, sortable=[Banner.code], default_sort="code")


async def get_banner(banner_id: str) -> BannerWithItems:
    """One banner with all its items.

    Raises:
        APIException: NOT_FOUND.
    """
    with primary():
        found = await get_one(select(Banner).where(Banner.id == banner_id), BannerOut)
        items = await fetch_all(_ITEMS, BannerItemOut, {"banner_id": banner_id})
    values = {name: getattr(found, name) for name in BannerOut.model_fields}
    return BannerWithItems(**values, items=[BannerItemOut.model_validate(each) for each in items])


async def create(session: AsyncSession, data: BannerIn) -> str:
    """Make a banner without items; returns its id.

    Raises:
        APIException: DUPLICATE (`code`).
    """
    await _check_code(session, data.code, "")
    banner = Banner(id=generate_key(), **data.model_dump())
    session.add(banner)
    record(session, "banner.created", f"banner:{banner.id}", None, data.model_dump())
    await forget(BANNERS_TAG)
    return banner.id


async def replace(session: AsyncSession, banner_id: str, data: BannerIn) -> None:
    """Set all of a banner but its items.

    Raises:
        APIException: NOT_FOUND, DUPLICATE (`code`).
    """
    banner = await _lock(session, banner_id)
    await _check_code(session, data.code, banner_id)
    values: dict[str, Any] = data.model_dump()
    before = {name: getattr(banner, name) for name in values}
    for name, value in values.items():
        setattr(banner, name, value)
    record(session, "banner.replaced", f"banner:{banner_id}", before, values)
    await forget(BANNERS_TAG)


async def set_items(session: AsyncSession, banner_id: str, data: BannerItems) -> None:
    """Set all items of a banner.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED (`items.0.target_id`), what an item leads to is not there.
    """
    await _lock(session, banner_id)
    await _check_targets(session, data.items)
    before = (await get_banner(banner_id)).model_dump(mode="json", include={"items"})
    await session.execute(delete(BannerItem).where(BannerItem.banner_id == banner_id))
    session.add_all(
        BannerItem(banner_id=banner_id, order=order, **item.model_dump())
        for order, item in enumerate(data.items)
    )
    record(session, "banner.items-set", f"banner:{banner_id}", before, data.model_dump(mode="json"))
    await forget(BANNERS_TAG)


async def remove(session: AsyncSession, banner_id: str) -> None:
    """Delete a banner with its items.

    Raises:
        APIException: NOT_FOUND.
    """
    banner = await _lock(session, banner_id)
    record(session, "banner.deleted", f"banner:{banner_id}", {"code": banner.code}, None)
    await session.delete(banner)
    await forget(BANNERS_TAG)


async def _check_targets(session: AsyncSession, items: Sequence[BannerItemIn]) -> None:
    """Refuse items that lead nowhere. Products and themes stay locked, so that none is deleted meanwhile."""
    known: dict[BannerTarget, set[str]] = {}
    for target, model in ((BannerTarget.PRODUCT, Product), (BannerTarget.THEME, Theme)):
        ids = {item.target_id for item in items if item.target is target}
        rows = select(model.id).where(model.id.in_(ids)).order_by(model.id).with_for_update(read=True)
        known[target] = set(await session.scalars(rows)) if ids else set()
    for index, item in enumerate(items):
        if item.target is BannerTarget.PAGE:
            try:
                check_path(item.target_id)
            except ValueError as error:
                raise refuse(f"items.{index}.target_id", str(error)) from None
        elif item.target_id not in known[item.target]:
            raise refuse(f"items.{index}.target_id", f"there is no such {item.target.value}")


async def _lock(session: AsyncSession, banner_id: str) -> Banner:
    banner = await session.get(Banner, banner_id, with_for_update=True, populate_existing=True)
    if banner is None:
        raise APIException(APICode.NOT_FOUND)
    return banner


async def _check_code(session: AsyncSession, code: str, banner_id: str) -> None:
    taken = select(Banner.id).where(Banner.code == code, Banner.id != banner_id)
    if await session.scalar(taken) is not None:
        raise refuse_taken("code")

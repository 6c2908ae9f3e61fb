"""Banners, for the staff."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.shop.catalog.schemas.topic import (
    BannerIn,
    BannerItems,
    BannerOut,
    BannerQuery,
    BannerWithItems,
)
from xumi.modules.shop.catalog.service import banner

router = get_router(prefix="/api/v1/shop/banners", tags=["shop-products"])


@router.get("", permission="banner:list")
async def list_banners(query: Annotated[BannerQuery, Query()]) -> PaginateResponse[BannerOut]:
    """A page of banners, by code, also those that are hidden."""
    return await banner.list_banners(query)


@router.post("", permission="banner:create", status_code=201)
async def create_banner(session: Session, body: BannerIn) -> RowId:
    """Make a banner without items; `data` is its id."""
    return await banner.create(session, body)


@router.get("/{banner_id}", permission="banner:read")
async def get_shop_banner(banner_id: str) -> BannerWithItems:
    """One banner with all its items."""
    return await banner.get_banner(banner_id)


@router.put("/{banner_id}", permission="banner:replace", status_code=204)
async def replace_banner(session: Session, banner_id: str, body: BannerIn) -> None:
    """Set all of a banner but its items."""
    await banner.replace(session, banner_id, body)


@router.delete("/{banner_id}", permission="banner:delete", status_code=204)
async def delete_banner(session: Session, banner_id: str) -> None:
    """Delete a banner with its items."""
    await banner.remove(session, banner_id)


@router.put("/{banner_id}/items", permission="banner:set-items", status_code=204)
async def set_banner_items(session: Session, banner_id: str, body: BannerItems) -> None:
    """Set all items of a banner, in order; what they lead to must be there."""
    await banner.set_items(session, banner_id, body)

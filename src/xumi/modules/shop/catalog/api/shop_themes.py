"""Themes, for the staff."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.shop.catalog.schemas.topic import (
    ThemeIn,
    ThemeOut,
    ThemeProducts,
    ThemeQuery,
    ThemeWithProducts,
)
from xumi.modules.shop.catalog.service import theme

router = get_router(prefix="/api/v1/shop/themes", tags=["shop-products"])


@router.get("", permission="theme:list")
async def list_shop_themes(query: Annotated[ThemeQuery, Query()]) -> PaginateResponse[ThemeOut]:
    """A page of themes, in order, also those that are hidden."""
    return await theme.list_themes(query)


@router.post("", permission="theme:create", status_code=201)
async def create_theme(session: Session, body: ThemeIn) -> RowId:
    """Make a theme without products; `data` is its id."""
    return await theme.create(session, body)


@router.get("/{theme_id}", permission="theme:read")
async def get_shop_theme(theme_id: str) -> ThemeWithProducts:
    """One theme with the ids of all its products."""
    return await theme.get_theme(theme_id)


@router.put("/{theme_id}", permission="theme:replace", status_code=204)
async def replace_theme(session: Session, theme_id: str, body: ThemeIn) -> None:
    """Set all of a theme but its products."""
    await theme.replace(session, theme_id, body)


@router.delete("/{theme_id}", permission="theme:delete", status_code=204)
async def delete_theme(session: Session, theme_id: str) -> None:
    """Delete a theme that no banner leads to; its products stay."""
    await theme.remove(session, theme_id)


@router.put("/{theme_id}/products", permission="theme:set-products", status_code=204)
async def set_theme_products(session: Session, theme_id: str, body: ThemeProducts) -> None:
    """Set all products of a theme, in order."""
    await theme.set_products(session, theme_id, body)

"""Themes, for customers."""

from xumi.kernel.http.router import get_router
from xumi.modules.shop.catalog.schemas.topic import ThemeDetail, ThemeView
from xumi.modules.shop.catalog.service import theme

router = get_router(prefix="/api/v1/themes", tags=["themes"])


@router.get("", public=True)
async def list_themes() -> list[ThemeView]:
    """The themes, in order, at most a minute after another worker changed them."""
    return await theme.read_shown()


@router.get("/{theme_id}", public=True)
async def get_theme(theme_id: str) -> ThemeDetail:
    """A theme with its products that are on sale, at most a minute after another worker changed them."""
    return await theme.read_detail(theme_id)

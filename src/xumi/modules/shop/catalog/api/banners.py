"""Banners, for customers."""

from xumi.kernel.http.router import get_router
from xumi.modules.shop.catalog.schemas.topic import BannerView
from xumi.modules.shop.catalog.service import banner

router = get_router(prefix="/api/v1/banners", tags=["banners"])


@router.get("/{code}", public=True)
async def get_banner(code: str) -> BannerView:
    """A banner with its items, at most a minute after another worker changed them."""
    return await banner.read_shown(code)

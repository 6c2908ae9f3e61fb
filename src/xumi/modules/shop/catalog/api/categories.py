"""Categories, for customers."""

from xumi.kernel.http.router import get_router
from xumi.modules.shop.catalog.schemas.category import CategoryNode
from xumi.modules.shop.catalog.service import category

router = get_router(prefix="/api/v1/categories", tags=["categories"])


@router.get("", public=True)
async def list_categories() -> list[CategoryNode]:
    """The tree of categories, at most a minute after another worker changed it."""
    return await category.read_public_tree()

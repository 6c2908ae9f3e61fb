"""Categories, for the staff."""

from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.shop.catalog.schemas.category import (
    CategoryBranch,
    CategoryChange,
    CategoryCreate,
    CategoryMove,
    CategoryOut,
)
from xumi.modules.shop.catalog.service import category

router = get_router(prefix="/api/v1/shop/categories", tags=["shop-products"])


@router.get("", permission="category:list")
async def list_shop_categories() -> list[CategoryBranch]:
    """The tree of all categories, also those that are hidden."""
    return await category.read_tree()


@router.post("", permission="category:create", status_code=201)
async def create_category(session: Session, body: CategoryCreate) -> RowId:
    """Make a category; `data` is its id."""
    return await category.create(session, body)


@router.get("/{category_id}", permission="category:read")
async def get_category(category_id: str) -> CategoryOut:
    """One category."""
    return await category.get_category(category_id)


@router.patch("/{category_id}", permission="category:update", status_code=204)
async def update_category(session: Session, category_id: str, body: CategoryChange) -> None:
    """Set some of a category; what is left out stays."""
    await category.change(session, category_id, body)


@router.post("/{category_id}/move", permission="category:move", status_code=204)
async def move_category(session: Session, category_id: str, body: CategoryMove) -> None:
    """Put a category, with all below it, somewhere else in the tree."""
    await category.move(session, category_id, body)


@router.delete("/{category_id}", permission="category:delete", status_code=204)
async def delete_category(session: Session, category_id: str) -> None:
    """Delete a category that has neither products nor categories below it."""
    await category.remove(session, category_id)

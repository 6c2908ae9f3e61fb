"""Rows of the catalogue that are locked to be changed."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.context import current
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.modules.shop.catalog.models import Category, CategoryTree, Product


async def lock_product(session: AsyncSession, product_id: str) -> Product:
    """A product, which nobody else changes until the transaction ends; nor its SKUs.

    Raises:
        APIException: NOT_FOUND.
    """
    product = await session.get(Product, product_id, with_for_update=True, populate_existing=True)
    if product is None:
        raise APIException(APICode.NOT_FOUND)
    return product


async def lock_tree(session: AsyncSession) -> dict[str, str | None]:
    """The tree of categories, category → the one above it, which nobody else changes until the transaction ends."""
    await session.execute(select(CategoryTree.id).with_for_update())
    rows = await session.execute(select(Category.id, Category.parent_id))
    return {row.id: row.parent_id for row in rows}


async def forget(*tags: str) -> None:
    """Let nobody be shown by this worker what was true before, once the running transaction is committed."""
    await current().resources.cache.delete_tags(*tags)


def refuse(field: str, reason: str) -> APIException:
    """An error about one field of a body."""
    return APIException(APICode.VALIDATION_FAILED, errors=[FieldError(field, reason)])


def refuse_taken(field: str) -> APIException:
    """An error about a field that must be unique."""
    return APIException(APICode.DUPLICATE, errors=[FieldError(field, "is taken: choose another")])

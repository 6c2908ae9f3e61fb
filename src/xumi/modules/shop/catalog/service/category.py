"""The tree of categories. Whoever changes it holds its lock, so no two moves together can make a circle."""

from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.cache import cached
from xumi.kernel.db.read import fetch_all, get_one, primary
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.ids import generate_key
from xumi.modules.audit.service import record
from xumi.modules.shop.catalog.constants import CACHE_SECONDS, CATEGORIES_TAG, MAX_CATEGORIES, MAX_DEPTH
from xumi.modules.shop.catalog.errors import CatalogCode
from xumi.modules.shop.catalog.models import Category, Product
from xumi.modules.shop.catalog.repository import forget, lock_tree, refuse
from xumi.modules.shop.catalog.schemas.category import (
    CategoryBranch,
    CategoryChange,
    CategoryCreate,
    CategoryMove,
    CategoryNode,
    CategoryOut,
)
from xumi.modules.shop.catalog.service.search import index_category

_ALL = select(Category).order_by(Category.order, Category.id)


@cached(key="shop:categories", ttl_seconds=CACHE_SECONDS, tags=(CATEGORIES_TAG,))
async def read_public_tree() -> list[CategoryNode]:
    """The tree that customers see, at most a minute after another worker changed it."""
    rows = await fetch_all(_ALL, CategoryOut)
    nodes = {row.id: CategoryNode(row.id, row.name, row.picture) for row in rows if not row.hidden}
    roots: list[CategoryNode] = []
    for row in rows:
        if row.id in nodes and row.parent_id is None:
            roots.append(nodes[row.id])
        elif row.id in nodes and row.parent_id in nodes:
            nodes[row.parent_id].children.append(nodes[row.id])
    return roots


@cached(key="shop:branch:{category_id}", ttl_seconds=CACHE_SECONDS, tags=(CATEGORIES_TAG,))
async def find_branch(category_id: str) -> list[str]:
    """The ids of a category and of all below it that customers see; empty where they do not see it."""
    level = await read_public_tree()
    found: list[CategoryNode] = []
    while level and not found:
        found = [node for node in level if node.id == category_id]
        level = [child for node in level for child in node.children]
    # The list grows while it is walked through.
    for node in found:
        found += node.children
    return [node.id for node in found]


async def read_tree() -> list[CategoryBranch]:
    """The whole tree, also what is hidden."""
    with primary():
        rows = await fetch_all(_ALL, CategoryOut)
    names = CategoryOut.model_fields
    nodes = {row.id: CategoryBranch(**{name: getattr(row, name) for name in names}) for row in rows}
    roots: list[CategoryBranch] = []
    for node in nodes.values():
        (roots if node.parent_id is None else nodes[node.parent_id].children).append(node)
    return roots


async def get_category(category_id: str) -> CategoryOut:
    """One category.

    Raises:
        APIException: NOT_FOUND.
    """
    with primary():
        return await get_one(select(Category).where(Category.id == category_id), CategoryOut)


async def create(session: AsyncSession, data: CategoryCreate) -> str:
    """Make a category; returns its id.

    Raises:
        APIException: VALIDATION_FAILED (`parent_id`), it is not there, too deep, or there are too many.
    """
    parents = await lock_tree(session)
    if len(parents) >= MAX_CATEGORIES:
        raise refuse("parent_id", f"there can be at most {MAX_CATEGORIES} categories")
    _check_place(parents, None, data.parent_id)
    category = Category(id=generate_key(), **data.model_dump())
    session.add(category)
    await session.flush()
    record(session, "category.created", f"category:{category.id}", None, data.model_dump())
    await forget(CATEGORIES_TAG)
    return category.id


async def change(session: AsyncSession, category_id: str, data: CategoryChange) -> None:
    """Set what `data` holds.

    Raises:
        APIException: NOT_FOUND.
    """
    await lock_tree(session)
    category = await _get_for_change(session, category_id)
    given = data.model_dump(exclude_unset=True)
    wanted = {name: value for name, value in given.items() if value is not None or name == "picture"}
    await _set(session, category, "updated", wanted)
    await index_category(session, category_id)


async def move(session: AsyncSession, category_id: str, data: CategoryMove) -> None:
    """Put a category, with all below it, under another one or at the top.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED (`parent_id`), it would stand below itself, or too deep.
    """
    parents = await lock_tree(session)
    category = await _get_for_change(session, category_id)
    _check_place(parents, category_id, data.parent_id)
    order = category.order if data.order is None else data.order
    await _set(session, category, "moved", {"parent_id": data.parent_id, "order": order})


async def remove(session: AsyncSession, category_id: str) -> None:
    """Delete a category that is empty.

    Raises:
        APIException: NOT_FOUND, CATEGORY_NOT_EMPTY.
    """
    await lock_tree(session)
    category = await _get_for_change(session, category_id)
    has_children = exists().where(Category.parent_id == category_id)
    has_products = exists().where(Product.category_id == category_id)
    if await session.scalar(select(has_children | has_products)):
        raise APIException(CatalogCode.CATEGORY_NOT_EMPTY)
    record(session, "category.deleted", f"category:{category_id}", {"name": category.name}, None)
    await session.delete(category)
    await forget(CATEGORIES_TAG)


async def check_category(session: AsyncSession, category_id: str) -> None:
    """Refuse a category that is not there.

    Raises:
        APIException: VALIDATION_FAILED (`category_id`).
    """
    if await session.scalar(select(Category.id).where(Category.id == category_id)) is None:
        raise refuse("category_id", "there is no such category")


async def _get_for_change(session: AsyncSession, category_id: str) -> Category:
    category = await session.get(Category, category_id, populate_existing=True)
    if category is None:
        raise APIException(APICode.NOT_FOUND)
    return category


async def _set(session: AsyncSession, category: Category, action: str, wanted: dict[str, Any]) -> None:
    before = {name: getattr(category, name) for name in wanted}
    for name, value in wanted.items():
        setattr(category, name, value)
    record(session, f"category.{action}", f"category:{category.id}", before, wanted)
    await forget(CATEGORIES_TAG)


def _check_place(parents: dict[str, str | None], category_id: str | None, parent_id: str | None) -> None:
    """Refuse a place that is not there, below the category itself, or too deep for what comes with it."""
    if parent_id is None:
        return
    if parent_id not in parents:
        raise refuse("parent_id", "there is no such category")
    above = _path(parents, parent_id)
    if category_id in above:
        raise refuse("parent_id", "must be neither the category itself nor one below it")
    height = 1
    if category_id is not None:
        paths = (_path(parents, each) for each in parents)
        height = max(path.index(category_id) + 1 for path in paths if category_id in path)
    if len(above) + height > MAX_DEPTH:
        raise refuse("parent_id", f"at most {MAX_DEPTH} categories may stand above one another")


def _path(parents: dict[str, str | None], category_id: str) -> list[str]:
    """A category and all above it, up to the top."""
    path: list[str] = []
    here: str | None = category_id
    while here is not None:
        path.append(here)
        here = parents[here]
    return path

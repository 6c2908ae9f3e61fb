"""Menu items as administrators manage them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.bulk import insert_many
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import get_one, primary
from xumi.kernel.errors import APIException
from xumi.kernel.ids import generate_key
from xumi.modules.audit.service import record
from xumi.modules.menu.errors import MenuCode
from xumi.modules.menu.models import MenuItem
from xumi.modules.menu.repository import Node, Tree, forget_items, read_items, split_roles
from xumi.modules.menu.schemas import (
    MenuBranch,
    MenuChange,
    MenuCreate,
    MenuItemView,
    MenuOut,
    MenuQuery,
    MenuReplace,
)
from xumi.modules.menu.service import rules

_FILTERS = {
    MenuItem.code: FilterTypeEnum.Like,
    MenuItem.title_en: FilterTypeEnum.Like,
    MenuItem.title_zh: FilterTypeEnum.Like,
    MenuItem.kind: FilterTypeEnum.Equals,
    MenuItem.permission: FilterTypeEnum.Equals,
    MenuItem.parent_id: FilterTypeEnum.Equals,
    MenuItem.enabled: FilterTypeEnum.Boolean,
}
_SORTABLE = [MenuItem.code, MenuItem.kind, MenuItem.order, MenuItem.created_at, MenuItem.updated_at]
_STORED = MenuBranch.model_fields.keys() - {"children"}
_CAN_BE_EMPTY = frozenset(("icon", "permission", *rules.FIELDS_OF_KINDS))


async def list_items(query: MenuQuery) -> PaginateResponse[MenuOut]:
    """The items that are wanted, by code.

    Raises:
        APIException: VALIDATION_FAILED, naming what is wrong with the query.
    """
    statement = add_filters(select(MenuItem), query, _FILTERS)
    return await paginate_query(statement, query, MenuOut, sortable=_SORTABLE, default_sort="code")


async def read_tree() -> list[MenuItemView]:
    """The whole tree as it is now, with who is granted what."""
    top: list[MenuItemView] = []
    known: dict[str, MenuItemView] = {}
    for row in await read_items():
        values = {name: getattr(row, name) for name in MenuOut.model_fields}
        item = known[row.id] = MenuItemView(**values, roles=split_roles(row))
        (top if row.parent_id is None else known[row.parent_id].children).append(item)
    return top


async def get_item(item_id: str) -> MenuOut:
    """One item as it is now.

    Raises:
        APIException: NOT_FOUND.
    """
    with primary():
        return await get_one(select(MenuItem).where(MenuItem.id == item_id), MenuOut)


async def create(session: AsyncSession, data: MenuCreate) -> str:
    """Make an item, and below it all that the document nests in it; returns its id.

    Raises:
        APIException: VALIDATION_FAILED, naming the fields; DUPLICATE for codes; MENU_FULL; MENU_TOO_DEEP.
    """
    tree = await Tree.lock(session)
    rows = await add_branch(session, tree, data, data.parent_id)
    for row in rows:
        record(session, "menu.created", f"menu:{row['id']}", None, row)
    await forget_items()
    item_id: str = rows[0]["id"]
    return item_id


async def add_branch(
    session: AsyncSession, tree: Tree, data: MenuBranch, parent_id: str | None
) -> list[dict[str, Any]]:
    """Store a document's items, the last below a parent; the locked tree knows them then. Returns them, parents first.

    Raises:
        APIException: as `create` does.
    """
    documents = rules.flatten(data)
    rules.check_documents(tree, documents, parent_id)
    ids = {id(document.data): generate_key() for document in documents}
    rows: list[dict[str, Any]] = []
    for document in documents:
        place = {"parent_id": parent_id, "order": len(tree.children(parent_id))}
        if document.above is not None:
            place = {"parent_id": ids[id(document.above)], "order": document.order}
        values = document.data.model_dump(include=_STORED)
        rows.append({"id": ids[id(document.data)], **place, **values})
    await insert_many(session, MenuItem, rows)
    for row in rows:
        tree.add(Node(row["id"], row["parent_id"], row["kind"], row["code"]))
    return rows


async def replace(session: AsyncSession, item_id: str, data: MenuReplace) -> None:
    """Set everything of an item that can be set.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED, naming the fields; DUPLICATE for the code.
    """
    await _update(session, item_id, data.model_dump())


async def change(session: AsyncSession, item_id: str, data: MenuChange) -> None:
    """Set what the document holds.

    Raises:
        APIException: as `replace` does.
    """
    given = data.model_dump(exclude_unset=True)
    wanted = {name: value for name, value in given.items() if value is not None or name in _CAN_BE_EMPTY}
    await _update(session, item_id, wanted)


async def _update(session: AsyncSession, item_id: str, wanted: Mapping[str, Any]) -> None:
    tree = await Tree.lock(session)
    tree.get(item_id)
    item = await session.get_one(MenuItem, item_id)
    after = {name: value for name, value in wanted.items() if getattr(item, name) != value}
    if not after:
        return
    if "code" in after:
        rules.check_code(tree, after["code"])
    rules.check_fields(
        item.kind, {name: wanted.get(name, getattr(item, name)) for name in rules.FIELDS_OF_KINDS}
    )
    before = {name: getattr(item, name) for name in after}
    for name, value in after.items():
        setattr(item, name, value)
    action = "updated"
    if after.keys() == {"enabled"}:
        action = "enabled" if item.enabled else "disabled"
    record(session, f"menu.{action}", f"menu:{item_id}", before, after)
    await forget_items()


async def remove(session: AsyncSession, item_id: str, *, with_children: bool) -> None:
    """Delete an item, and all below it where that is wanted.

    Raises:
        APIException: NOT_FOUND, MENU_HAS_CHILDREN.
    """
    tree = await Tree.lock(session)
    tree.get(item_id)
    if tree.children(item_id) and not with_children:
        raise APIException(MenuCode.MENU_HAS_CHILDREN)
    branch = tree.branch(item_id)
    ids = [node.id for node in branch]
    # MySQL looks at references row by row: items that are taken apart first can go in any order.
    await session.execute(update(MenuItem).where(MenuItem.parent_id.in_(ids)).values(parent_id=None))
    await session.execute(delete(MenuItem).where(MenuItem.id.in_(ids)))
    for node in branch:
        before = {"code": node.code, "kind": node.kind, "parent_id": node.parent_id}
        record(session, "menu.deleted", f"menu:{node.id}", before, None)
    await forget_items()

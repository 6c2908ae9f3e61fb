"""The tree in the database: read as a whole, or locked to be changed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.context import current
from xumi.kernel.db.read import fetch_all, primary
from xumi.kernel.errors import APICode, APIException
from xumi.modules.menu.constants import MENUS_TAG
from xumi.modules.menu.enums import MenuKind
from xumi.modules.menu.models import MenuGrant, MenuItem, MenuTree
from xumi.modules.menu.schemas import MenuRow

_ROLES = (
    select(func.aggregate_strings(MenuGrant.role, ","))
    .where(MenuGrant.item_id == MenuItem.id)
    .correlate(MenuItem)
    .scalar_subquery()
    .label("roles")
)
# One statement, so that items and grants are of one moment.
_ITEMS = select(MenuItem.__table__, _ROLES).order_by(MenuItem.order, MenuItem.id)


async def read_items() -> list[MenuRow]:
    """All items as they are now, parents before children and siblings in their order."""
    with primary():
        rows = await fetch_all(_ITEMS, MenuRow)
    below: dict[str | None, list[MenuRow]] = {}
    for row in rows:
        below.setdefault(row.parent_id, []).append(row)
    items = list(below.get(None, ()))
    # The list grows while it is walked through.
    for item in items:
        items += below.get(item.id, ())
    return items


def split_roles(row: MenuRow) -> list[str]:
    """The roles that are granted an item."""
    return sorted(row.roles.split(",")) if row.roles else []


async def forget_items() -> None:
    """Let nobody be shown by this worker what was true before, once the running transaction is committed."""
    await current().resources.cache.delete_tags(MENUS_TAG)


class Node(msgspec.Struct):
    """An item's place in the tree."""

    id: str
    parent_id: str | None
    kind: MenuKind
    code: str


class Tree:
    """The tree while it is changed: whoever holds one is alone until his transaction ends.

    Attributes:
        row: what is locked.
        nodes: all items by id.
    """

    def __init__(self, row: MenuTree, nodes: Iterable[Node]) -> None:
        self.row = row
        self.nodes: dict[str, Node] = {}
        self._children: dict[str | None, list[Node]] = {}
        for node in nodes:
            self.add(node)

    @classmethod
    async def lock(cls, session: AsyncSession) -> Tree:
        """Lock the tree and read it; what others change now waits.

        Raises:
            RuntimeError: the row that a migration has put in is gone.
        """
        row = await session.scalar(
            select(MenuTree).with_for_update().execution_options(populate_existing=True)
        )
        if row is None:
            raise RuntimeError(
                "The table menu_tree is empty: put a row into it, by which changes are kept apart."
            )
        columns = (MenuItem.id, MenuItem.parent_id, MenuItem.kind, MenuItem.code)
        found = await session.execute(select(*columns).order_by(MenuItem.order, MenuItem.id))
        return cls(row, [Node(*values) for values in found])

    def add(self, node: Node) -> None:
        """Know one more item, the last below its parent."""
        self.nodes[node.id] = node
        self._children.setdefault(node.parent_id, []).append(node)

    def get(self, item_id: str) -> Node:
        """An item's place.

        Raises:
            APIException: NOT_FOUND.
        """
        if item_id not in self.nodes:
            raise APIException(APICode.NOT_FOUND)
        return self.nodes[item_id]

    def find(self, code: str) -> Node | None:
        """The item of this code."""
        return next((node for node in self.nodes.values() if node.code == code), None)

    def children(self, parent_id: str | None) -> list[Node]:
        """What hangs directly below an item, or at the top, in order."""
        return self._children.get(parent_id, [])

    def branch(self, item_id: str) -> list[Node]:
        """An item and all below it, parents first."""
        found = [self.nodes[item_id]]
        # The list grows while it is walked through.
        for node in found:
            found += self.children(node.id)
        return found

    def level(self, item_id: str | None) -> int:
        """How deep an item hangs: 1 at the top, 0 for the top itself."""
        level = 0
        while item_id is not None:
            level, item_id = level + 1, self.nodes[item_id].parent_id
        return level

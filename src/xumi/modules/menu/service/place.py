"""Where menu items hang. Whoever moves holds the lock of the tree, so no two moves together can make a circle."""

from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.modules.audit.service import record
from xumi.modules.menu.errors import MenuCode
from xumi.modules.menu.models import MenuItem
from xumi.modules.menu.repository import Tree, forget_items
from xumi.modules.menu.schemas import MenuMove, MenuReorder
from xumi.modules.menu.service import rules


async def move(session: AsyncSession, item_id: str, data: MenuMove) -> None:
    """Hang an item, with all below it, elsewhere.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED for the parent; MENU_CYCLE; MENU_TOO_DEEP.
    """
    tree = await Tree.lock(session)
    node = tree.get(item_id)
    branch = tree.branch(item_id)
    if any(below.id == data.parent_id for below in branch):
        raise APIException(MenuCode.MENU_CYCLE)
    levels = max(tree.level(below.id) for below in branch) - tree.level(item_id) + 1
    rules.check_place(tree, node.kind, data.parent_id, levels)
    before = _place(tree, item_id)
    siblings = [sibling.id for sibling in tree.children(data.parent_id) if sibling.id != item_id]
    order = len(siblings) if data.order is None else min(data.order, len(siblings))
    after = {"parent_id": data.parent_id, "order": order}
    if before == after:
        return
    siblings.insert(order, item_id)
    await session.execute(update(MenuItem).where(MenuItem.id == item_id).values(parent_id=data.parent_id))
    await _number(session, siblings)
    record(session, "menu.moved", f"menu:{item_id}", before, after)
    await forget_items()


async def reorder(session: AsyncSession, data: MenuReorder) -> None:
    """Give the items below a parent, or at the top, another order.

    Raises:
        APIException: VALIDATION_FAILED for the parent; MENU_CHILDREN_CHANGED.
    """
    tree = await Tree.lock(session)
    if data.parent_id is not None and data.parent_id not in tree.nodes:
        errors = [FieldError("parent_id", "there is no such item")]
        raise APIException(APICode.VALIDATION_FAILED, errors=errors)
    present = [node.id for node in tree.children(data.parent_id)]
    if sorted(present) != sorted(data.ids):
        raise APIException(MenuCode.MENU_CHILDREN_CHANGED)
    if present == data.ids:
        return
    await _number(session, data.ids)
    subject = f"menu:{data.parent_id or 'top'}"
    record(session, "menu.reordered", subject, {"ids": present}, {"ids": data.ids})
    await forget_items()


def _place(tree: Tree, item_id: str) -> dict[str, object]:
    parent_id = tree.nodes[item_id].parent_id
    siblings = [sibling.id for sibling in tree.children(parent_id)]
    return {"parent_id": parent_id, "order": siblings.index(item_id)}


async def _number(session: AsyncSession, ids: Sequence[str]) -> None:
    places = [{"id": item_id, "order": order} for order, item_id in enumerate(ids)]
    await session.execute(update(MenuItem), places)

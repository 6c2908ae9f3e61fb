"""Which roles are granted which menu items. An item without grants is seen by whoever holds its permission."""

from collections.abc import Callable, Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth.principal import Principal
from xumi.kernel.db.bulk import insert_many
from xumi.kernel.db.read import fetch_all, primary
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.schema import SchemaBase
from xumi.modules.access.service import require_role
from xumi.modules.access.service.role import at_cloning, get_role
from xumi.modules.audit.service import record
from xumi.modules.menu.models import MenuGrant
from xumi.modules.menu.repository import Tree, forget_items
from xumi.modules.menu.schemas import RoleMenus


class GrantRow(SchemaBase):
    """A row of the grants."""

    item_id: str


async def get_grants(role: str) -> RoleMenus:
    """The items that are granted to a role, by id.

    Raises:
        APIException: NOT_FOUND, there is no such role.
    """
    await get_role(role)
    with primary():
        rows = await fetch_all(
            select(MenuGrant.item_id).where(MenuGrant.role == role).order_by(MenuGrant.item_id), GrantRow
        )
    return RoleMenus(role=role, menu_ids=[row.item_id for row in rows])


async def replace(session: AsyncSession, role: str, item_ids: Sequence[str]) -> None:
    """Grant a role these items and no others.

    Raises:
        APIException: NOT_FOUND, there is no such role; VALIDATION_FAILED, naming the items that do not exist.
    """
    await _change(session, role, item_ids, lambda held, named: named)


async def add(session: AsyncSession, role: str, item_ids: Sequence[str]) -> None:
    """Grant a role these items too.

    Raises:
        APIException: as `replace` does.
    """
    await _change(session, role, item_ids, lambda held, named: held | named)


async def take_away(session: AsyncSession, role: str, item_ids: Sequence[str]) -> None:
    """Take these items away from a role.

    Raises:
        APIException: as `replace` does.
    """
    await _change(session, role, item_ids, lambda held, named: held - named)


async def _change(
    session: AsyncSession,
    role: str,
    item_ids: Sequence[str],
    choose: Callable[[set[str], set[str]], set[str]],
) -> None:
    await require_role(session, role)
    tree = await Tree.lock(session)
    errors = [
        FieldError(f"menu_ids.{number}", "there is no such item")
        for number, item_id in enumerate(item_ids)
        if item_id not in tree.nodes
    ]
    if errors:
        raise APIException(APICode.VALIDATION_FAILED, errors=errors)
    held = await _read_held(session, role)
    await _write(session, tree, role, held, choose(held, set(item_ids)))


async def _read_held(session: AsyncSession, role: str) -> set[str]:
    return set((await session.scalars(select(MenuGrant.item_id).where(MenuGrant.role == role))).all())


async def _write(session: AsyncSession, tree: Tree, role: str, held: set[str], wanted: set[str]) -> None:
    if wanted == held:
        return
    await session.execute(
        delete(MenuGrant).where(MenuGrant.role == role, MenuGrant.item_id.in_(held - wanted))
    )
    rows = [{"role": role, "item_id": item_id} for item_id in sorted(wanted - held)]
    await insert_many(session, MenuGrant, rows)
    before, after = (sorted(tree.nodes[item_id].code for item_id in ids) for ids in (held, wanted))
    record(session, "role-menus.changed", f"role:{role}", {"menus": before}, {"menus": after})
    await forget_items()


async def _copy(session: AsyncSession, _principal: Principal, role: str, clone: str) -> None:
    """A clone is granted the items that its original is. They show and allow nothing, so whoever clones need not see them."""
    tree = await Tree.lock(session)
    await _write(session, tree, clone, set(), await _read_held(session, role))


at_cloning(_copy)

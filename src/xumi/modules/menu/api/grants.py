"""Which menu items the roles are granted; elements are items too."""

from typing import Annotated

from fastapi import Path

from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.menu.schemas import MenuIds, RoleMenus
from xumi.modules.menu.service import grant

router = get_router(prefix="/api/v1/roles/{role}/menus", tags=["menus"])

RoleCode = Annotated[
    str, Path(max_length=64, pattern="^[a-z0-9-]+$", description="The role's code.", examples=["clerk"])
]


@router.get("", permission="menu-grant:list")
async def list_grants(role: RoleCode) -> RoleMenus:
    """The items that a role is granted."""
    return await grant.get_grants(role)


@router.put("", permission="menu-grant:replace", status_code=204)
async def replace_grants(session: Session, role: RoleCode, body: MenuIds) -> None:
    """Grant a role these items and no others."""
    await grant.replace(session, role, body.menu_ids)


@router.post("", permission="menu-grant:add", status_code=204)
async def add_grants(session: Session, role: RoleCode, body: MenuIds) -> None:
    """Grant a role these items too; those that it is granted already stay."""
    await grant.add(session, role, body.menu_ids)


@router.delete("", permission="menu-grant:remove", status_code=204)
async def remove_grants(session: Session, role: RoleCode, body: MenuIds) -> None:
    """Take these items away from a role."""
    await grant.take_away(session, role, body.menu_ids)

"""Roles, as administrators manage them."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.access.schemas import (
    RoleChange,
    RoleCode,
    RoleCreate,
    RoleIncludes,
    RoleIncludesOut,
    RoleMigration,
    RoleMigrationOut,
    RoleOut,
    RolePermissionsIn,
    RolePermissionsOut,
    RoleQuery,
)
from xumi.modules.access.service import grant
from xumi.modules.access.service import role as roles

router = get_router(prefix="/api/v1/roles", tags=["roles"])


@router.get("", permission="role:list")
async def list_roles(query: Annotated[RoleQuery, Query()]) -> PaginateResponse[RoleOut]:
    """A page of roles, or all that match as a file."""
    return await roles.list_roles(query)


@router.get("/{code}", permission="role:read")
async def get_role(code: str) -> RoleOut:
    """One role."""
    return await roles.get_role(code)


@router.post("", permission="role:create", status_code=201)
async def create_role(session: Session, body: RoleCreate) -> RoleCode:
    """Make a role that grants nothing yet; `data` is its code."""
    return await roles.create(session, body)


@router.patch("/{code}", permission="role:update", status_code=204)
async def update_role(session: Session, principal: CurrentPrincipal, code: str, body: RoleChange) -> None:
    """Set some of a role; what is left out stays."""
    await roles.update(session, principal, code, body)


@router.delete("/{code}", permission="role:delete", status_code=204)
async def delete_role(
    session: Session,
    principal: CurrentPrincipal,
    code: str,
    migrate_to: Annotated[
        RoleCode | None, Query(description="The role that its users get instead; needed where it has any.")
    ] = None,
) -> None:
    """Delete a role; its users get another one."""
    await roles.remove(session, principal, code, migrate_to)


@router.post("/{code}/clone", permission="role:create", status_code=201)
async def clone_role(session: Session, principal: CurrentPrincipal, code: str, body: RoleCreate) -> RoleCode:
    """Make a role that can do what another one can, with its menus and data scopes; `data` is its code."""
    return await roles.clone(session, principal, code, body)


@router.post("/{code}/enable", permission="role:update", status_code=204)
async def enable_role(session: Session, principal: CurrentPrincipal, code: str) -> None:
    """Let a role grant again what it did."""
    await roles.enable(session, principal, code)


@router.post("/{code}/disable", permission="role:update", status_code=204)
async def disable_role(session: Session, code: str) -> None:
    """Let a role grant nothing; its users keep it."""
    await roles.disable(session, code)


@router.get("/{code}/permissions", permission="role:read")
async def get_role_permissions(session: Session, code: str) -> RolePermissionsOut:
    """What a role grants, by itself and through roles that it includes."""
    return await grant.show_permissions(session, code)


@router.put("/{code}/permissions", permission="role:grant", status_code=204)
async def set_role_permissions(
    session: Session, principal: CurrentPrincipal, code: str, body: RolePermissionsIn
) -> None:
    """Set the permissions of a role; it loses those that are not named."""
    await grant.set_permissions(session, principal, code, body.permissions)


@router.post("/{code}/permissions", permission="role:grant", status_code=204)
async def add_role_permissions(
    session: Session, principal: CurrentPrincipal, code: str, body: RolePermissionsIn
) -> None:
    """Give permissions to a role."""
    await grant.add_permissions(session, principal, code, body.permissions)


@router.delete("/{code}/permissions", permission="role:grant", status_code=204)
async def take_role_permissions(
    session: Session, principal: CurrentPrincipal, code: str, body: RolePermissionsIn
) -> None:
    """Take permissions from a role; those that it does not have are passed over."""
    await grant.take_permissions(session, principal, code, body.permissions)


@router.get("/{code}/includes", permission="role:read")
async def get_role_includes(session: Session, code: str) -> RoleIncludesOut:
    """The roles that a role includes directly."""
    return await grant.show_includes(session, code)


@router.put("/{code}/includes", permission="role:grant", status_code=204)
async def set_role_includes(
    session: Session, principal: CurrentPrincipal, code: str, body: RoleIncludes
) -> None:
    """Set the roles that a role includes; it must not include itself by way of others."""
    await grant.set_includes(session, principal, code, body.includes)


@router.post("/migrate", permission="role:migrate")
async def migrate_users(
    session: Session, principal: CurrentPrincipal, body: RoleMigration
) -> RoleMigrationOut:
    """Give the users of one role another instead, and end their access tokens, so that they get new ones."""
    users = await roles.migrate(session, principal, body.from_role, body.to_role)
    return RoleMigrationOut(users=users)

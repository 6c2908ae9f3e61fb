"""The data scopes of a role."""

from typing import Annotated

from fastapi import Path

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.organization.schemas import RoleScopes, RoleScopesOut
from xumi.modules.organization.service import scope as scopes

router = get_router(prefix="/api/v1/roles", tags=["data scopes"])

RoleCode = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9-]+$", description="The role's code.")]


@router.get("/{role}/scopes", permission="scope:read")
async def get_scopes(role: RoleCode) -> RoleScopesOut:
    """Which rows of each resource a role opens."""
    return await scopes.get_scopes(role)


@router.put("/{role}/scopes", permission="scope:replace", status_code=204)
async def replace_scopes(
    session: Session, principal: CurrentPrincipal, role: RoleCode, body: RoleScopes
) -> None:
    """Set all that a role opens; nobody can open more than he reaches himself."""
    await scopes.replace_scopes(session, principal, role, body)

"""Departments: their tree and their members."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.organization.schemas import (
    DepartmentChange,
    DepartmentCreate,
    DepartmentMove,
    DepartmentNode,
    DepartmentOut,
    MemberOut,
    MemberQuery,
    MembersReplace,
)
from xumi.modules.organization.service import department as departments
from xumi.modules.organization.service import member as members

router = get_router(prefix="/api/v1/departments", tags=["departments"])


@router.get("", permission="department:list")
async def list_departments() -> list[DepartmentNode]:
    """The tree of all departments."""
    return await departments.read_tree()


@router.post("", permission="department:create", status_code=201)
async def create_department(session: Session, body: DepartmentCreate) -> RowId:
    """Make a department; `data` is its id."""
    return await departments.create(session, body)


@router.get("/{department_id}", permission="department:read")
async def get_department(department_id: str) -> DepartmentOut:
    """One department."""
    return await departments.get_department(department_id)


@router.patch("/{department_id}", permission="department:update", status_code=204)
async def update_department(session: Session, department_id: str, body: DepartmentChange) -> None:
    """Set some of a department; what is left out stays."""
    await departments.update(session, department_id, body)


@router.post("/{department_id}/move", permission="department:move", status_code=204)
async def move_department(session: Session, department_id: str, body: DepartmentMove) -> None:
    """Put a department, with all below it, somewhere else in the tree."""
    await departments.move(session, department_id, body)


@router.delete("/{department_id}", permission="department:delete", status_code=204)
async def delete_department(session: Session, department_id: str) -> None:
    """Delete a department that has neither members nor departments below it."""
    await departments.remove(session, department_id)


@router.get("/{department_id}/members", permission="department:list-members")
async def list_members(
    department_id: str, query: Annotated[MemberQuery, Query()]
) -> PaginateResponse[MemberOut]:
    """A page of a department's members, by name."""
    return await members.list_members(department_id, query)


@router.put("/{department_id}/members", permission="department:set-members", status_code=204)
async def set_members(
    session: Session, principal: CurrentPrincipal, department_id: str, body: MembersReplace
) -> None:
    """Set all members of a department."""
    await members.set_members(session, principal, department_id, body.user_ids)

"""Departments and their tree."""

from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.read import fetch_all, get_one
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.ids import generate_key
from xumi.modules.audit.service import record
from xumi.modules.organization.constants import MAX_DEPTH, RULES, TREE
from xumi.modules.organization.errors import OrganizationCode
from xumi.modules.organization.models import Department, Member
from xumi.modules.organization.repository import read_parents
from xumi.modules.organization.schemas import (
    DepartmentChange,
    DepartmentCreate,
    DepartmentMove,
    DepartmentNode,
    DepartmentOut,
)
from xumi.modules.organization.service.change import announce, lock

_FIELDS = ("parent_id", "code", "name", "order", "enabled")


async def read_tree() -> list[DepartmentNode]:
    """All departments, those at the top first; siblings by their order, then by age."""
    rows = await fetch_all(select(Department).order_by(Department.order, Department.id), DepartmentOut)
    names = DepartmentOut.model_fields
    nodes = {row.id: DepartmentNode(**{name: getattr(row, name) for name in names}) for row in rows}
    roots: list[DepartmentNode] = []
    for node in nodes.values():
        parent = nodes.get(node.parent_id) if node.parent_id is not None else None
        (roots if parent is None else parent.children).append(node)
    return roots


async def get_department(department_id: str) -> DepartmentOut:
    """One department.

    Raises:
        APIException: NOT_FOUND.
    """
    return await get_one(select(Department).where(Department.id == department_id), DepartmentOut)


async def create(session: AsyncSession, data: DepartmentCreate) -> str:
    """Make a department; returns its id.

    Raises:
        APIException: VALIDATION_FAILED (`parent_id`), DUPLICATE (`code`).
    """
    version = await lock(session)
    parents = await read_parents(session)
    _check_place(parents, None, data.parent_id)
    await _check_code(session, data.code, "")
    department = Department(id=generate_key(), **data.model_dump())
    session.add(department)
    await session.flush()
    await announce(session, version, [TREE])
    record(session, "department.created", f"department:{department.id}", None, _facts(department))
    return department.id


async def update(session: AsyncSession, department_id: str, data: DepartmentChange) -> None:
    """Set what `data` holds.

    Raises:
        APIException: NOT_FOUND, DUPLICATE (`code`).
    """
    await lock(session)
    department = await get_for_change(session, department_id)
    before = _facts(department)
    if data.code is not None:
        await _check_code(session, data.code, department_id)
    for name, value in data.model_dump(exclude_none=True).items():
        setattr(department, name, value)
    record(session, "department.updated", f"department:{department_id}", before, _facts(department))


async def move(session: AsyncSession, department_id: str, data: DepartmentMove) -> None:
    """Put a department, with all below it, under another one or at the top.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED (`parent_id`), it would stand below itself, or too deep.
    """
    version = await lock(session)
    department = await get_for_change(session, department_id)
    before = _facts(department)
    _check_place(await read_parents(session), department_id, data.parent_id)
    department.parent_id = data.parent_id
    if data.order is not None:
        department.order = data.order
    await announce(session, version, [TREE])
    record(session, "department.moved", f"department:{department_id}", before, _facts(department))


async def remove(session: AsyncSession, department_id: str) -> None:
    """Delete a department that is empty; rules that list it lose it.

    Raises:
        APIException: NOT_FOUND, DEPARTMENT_NOT_EMPTY.
    """
    version = await lock(session)
    department = await get_for_change(session, department_id)
    has_children = exists().where(Department.parent_id == department_id)
    has_members = exists().where(Member.department_id == department_id)
    if await session.scalar(select(has_children | has_members)):
        raise APIException(OrganizationCode.DEPARTMENT_NOT_EMPTY)
    await session.delete(department)
    await session.flush()
    await announce(session, version, [TREE, RULES])
    record(session, "department.deleted", f"department:{department_id}", _facts(department), None)


async def get_for_change(session: AsyncSession, department_id: str) -> Department:
    """A department, by who holds the lock.

    Raises:
        APIException: NOT_FOUND.
    """
    department = await session.get(Department, department_id, populate_existing=True)
    if department is None:
        raise APIException(APICode.NOT_FOUND)
    return department


def _facts(department: Department) -> dict[str, Any]:
    return {name: getattr(department, name) for name in _FIELDS}


def _check_place(parents: dict[str, str | None], department_id: str | None, parent_id: str | None) -> None:
    """Refuse a place that is not there, below the department itself, or too deep for what comes with it."""
    if parent_id is None:
        return
    if parent_id not in parents:
        raise _refuse_parent("there is no such department")
    above = _path(parents, parent_id)
    if department_id in above:
        raise _refuse_parent("must be neither the department itself nor one below it")
    height = 1
    if department_id is not None:
        paths = (_path(parents, each) for each in parents)
        height = max(path.index(department_id) + 1 for path in paths if department_id in path)
    if len(above) + height > MAX_DEPTH:
        raise _refuse_parent(f"at most {MAX_DEPTH} departments may stand above one another")


def _path(parents: dict[str, str | None], department_id: str) -> list[str]:
    """A department and all above it, up to the top."""
    path: list[str] = []
    here: str | None = department_id
    while here is not None:
        path.append(here)
        here = parents[here]
    return path


def _refuse_parent(reason: str) -> APIException:
    return APIException(APICode.VALIDATION_FAILED, errors=[FieldError("parent_id", reason)])


async def _check_code(session: AsyncSession, code: str, department_id: str) -> None:
    taken = select(Department.id).where(Department.code == code, Department.id != department_id)
    if await session.scalar(taken) is not None:
        raise APIException(APICode.DUPLICATE, errors=[FieldError("code", "is taken: choose another")])

"""Queries of the organization that are used twice."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth.scope import ScopeKind, ScopeRule
from xumi.kernel.db.read import fetch_all
from xumi.kernel.schema import SchemaBase
from xumi.modules.organization.models import Department, Member, RoleScope, ScopeDepartment

_RULES = select(RoleScope.role, RoleScope.resource, RoleScope.kind, ScopeDepartment.department_id).outerjoin(
    ScopeDepartment, ScopeDepartment.scope_id == RoleScope.id
)


class RuleRow(SchemaBase):
    """A rule, with one of its departments."""

    role: str
    resource: str
    kind: ScopeKind
    department_id: str | None


async def read_rules(role: str | None = None) -> dict[str, dict[str, ScopeRule]]:
    """The rules of a role, or of all: role → resource → rule."""
    rows = await fetch_all(_RULES if role is None else _RULES.where(RoleScope.role == role), RuleRow)
    departments: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        found = departments.setdefault((row.role, row.resource), set())
        if row.department_id is not None:
            found.add(row.department_id)
    rules: dict[str, dict[str, ScopeRule]] = {}
    for row in rows:
        listed = frozenset(departments[row.role, row.resource])
        rules.setdefault(row.role, {})[row.resource] = ScopeRule(row.kind, listed)
    return rules


async def read_parents(session: AsyncSession) -> dict[str, str | None]:
    """The tree: department → the one above it."""
    rows = await session.execute(select(Department.id, Department.parent_id))
    return {row.id: row.parent_id for row in rows}


class MembershipRow(SchemaBase):
    """A department of a user."""

    department_id: str
    main: bool | None


async def read_departments_of(user_id: str) -> dict[str, bool]:
    """The departments of a user; true for the main one."""
    statement = select(Member.department_id, Member.main).where(Member.user_id == user_id).order_by(Member.id)
    return {row.department_id: bool(row.main) for row in await fetch_all(statement, MembershipRow)}

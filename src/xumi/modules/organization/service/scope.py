"""Which rows each role opens. Nobody gives more than he has."""

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.principal import Principal
from xumi.kernel.auth.scope import ScopeKind, ScopeRule
from xumi.kernel.context import current
from xumi.kernel.db.read import primary
from xumi.kernel.db.scope import scoped_resources
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.ids import generate_key
from xumi.modules.access.service import require_role
from xumi.modules.access.service.role import at_cloning, at_deletion, get_role
from xumi.modules.audit.service import record
from xumi.modules.organization.constants import RULES
from xumi.modules.organization.errors import OrganizationCode
from xumi.modules.organization.models import Department, RoleScope, ScopeDepartment
from xumi.modules.organization.repository import read_rules
from xumi.modules.organization.schemas import RoleScopeRule, RoleScopes, RoleScopesOut
from xumi.modules.organization.service.change import announce, lock


async def get_scopes(role: str) -> RoleScopesOut:
    """What a role opens.

    Raises:
        APIException: NOT_FOUND, there is no such role.
    """
    await get_role(role)
    with primary():
        rules = (await read_rules(role)).get(role, {})
    return RoleScopesOut(
        scopes=[
            RoleScopeRule(resource=resource, kind=rule.kind, departments=set(rule.departments))
            for resource, rule in sorted(rules.items())
        ],
        resources=sorted(scoped_resources()),
    )


async def replace_scopes(session: AsyncSession, principal: Principal, role: str, data: RoleScopes) -> None:
    """Set all that a role opens. Rules that stay as they are may be wider than the caller's own.

    Raises:
        APIException: NOT_FOUND, there is no such role; VALIDATION_FAILED, naming the rule; SCOPE_TOO_WIDE.
    """
    await require_role(session, role)
    version = await lock(session)
    before = (await read_rules(role)).get(role, {})
    wanted = await _read_wanted(session, data)
    for resource, rule in wanted.items():
        if rule != before.get(resource) and not _may_give(principal, resource, rule):
            raise APIException(OrganizationCode.SCOPE_TOO_WIDE)
    await session.execute(delete(RoleScope).where(RoleScope.role == role))
    await _write(session, version, role, before, wanted)


async def _write(
    session: AsyncSession,
    version: int,
    role: str,
    before: dict[str, ScopeRule],
    wanted: dict[str, ScopeRule],
) -> None:
    """Give a role that has none these rules."""
    for resource, rule in sorted(wanted.items()):
        scope = RoleScope(id=generate_key(), role=role, resource=resource, kind=rule.kind)
        session.add(scope)
        await session.flush()
        session.add_all(ScopeDepartment(scope_id=scope.id, department_id=each) for each in rule.departments)
    await session.flush()
    await announce(session, version, [RULES])
    record(session, "scope.replaced", f"role:{role}", _facts(before), _facts(wanted))


async def _copy(session: AsyncSession, principal: Principal, role: str, clone: str) -> None:
    """A clone opens what its original does.

    Raises:
        APIException: SCOPE_TOO_WIDE, that is more than the caller's own roles do.
    """
    version = await lock(session)
    rules = (await read_rules(role)).get(role, {})
    if not all(_may_give(principal, resource, rule) for resource, rule in rules.items()):
        raise APIException(OrganizationCode.SCOPE_TOO_WIDE)
    if rules:
        await _write(session, version, clone, {}, rules)


async def _forget(session: AsyncSession, _role: str) -> None:
    """A role is deleted, and its rules with it: a role that gets its name later begins without any, on every worker."""
    await announce(session, await lock(session), [RULES])


at_cloning(_copy)
at_deletion(_forget)


async def _read_wanted(session: AsyncSession, data: RoleScopes) -> dict[str, ScopeRule]:
    wanted: dict[str, ScopeRule] = {}
    known = scoped_resources()
    listed = set().union(*(rule.departments for rule in data.scopes))
    departments = set(await session.scalars(select(Department.id).where(Department.id.in_(listed))))
    for number, rule in enumerate(data.scopes):
        place = f"scopes.{number}"
        if rule.resource not in known:
            raise _refuse(f"{place}.resource", f"is not one of: {', '.join(sorted(known)) or 'nothing'}")
        if rule.resource in wanted:
            raise _refuse(f"{place}.resource", "is given twice")
        if (rule.kind is ScopeKind.CUSTOM) != bool(rule.departments):
            raise _refuse(f"{place}.departments", "must be given for `custom`, and for nothing else")
        if unknown := sorted(rule.departments - departments):
            raise _refuse(f"{place}.departments", f"there is no department {unknown[0]!r}")
        wanted[rule.resource] = ScopeRule(rule.kind, frozenset(rule.departments))
    return wanted


def _may_give(principal: Principal, resource: str, rule: ScopeRule) -> bool:
    """Whether a rule opens no more than the caller's own rules do."""
    if EVERYTHING in principal.permissions:
        return True
    resources = current().resources
    roles = resources.access.roles_of(principal)
    kinds = resources.scopes.kinds(roles, resource)
    if ScopeKind.ALL in kinds:
        return True
    if rule.kind is ScopeKind.CUSTOM:
        return rule.departments <= resources.scopes.reach(principal.user_id, roles, resource).department_set
    wider = {
        ScopeKind.OWN: set(ScopeKind),
        ScopeKind.DEPARTMENT: {ScopeKind.DEPARTMENT, ScopeKind.DEPARTMENT_TREE},
        ScopeKind.DEPARTMENT_TREE: {ScopeKind.DEPARTMENT_TREE},
    }
    return bool(kinds & wider.get(rule.kind, set()))


def _facts(rules: dict[str, ScopeRule]) -> dict[str, Any]:
    return {
        resource: {"kind": rule.kind.value, "departments": sorted(rule.departments)}
        for resource, rule in sorted(rules.items())
    }


def _refuse(field: str, reason: str) -> APIException:
    return APIException(APICode.VALIDATION_FAILED, errors=[FieldError(field, reason)])

"""Roles: made, edited, copied, disabled and deleted. What they grant is in `service/grant.py`.

Every change begins with `begin_change`, so that changes of roles happen one after the other and each sees what the one before it
has done.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth.principal import Principal
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import get_one, primary
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.ids import generate_key
from xumi.modules.access.constants import ADMIN
from xumi.modules.access.errors import AccessCode
from xumi.modules.access.models import Role, RoleInclude, RolePermission
from xumi.modules.access.repository import require_role
from xumi.modules.access.schemas import RoleChange, RoleCreate, RoleOut, RoleQuery
from xumi.modules.access.service.change import begin_change
from xumi.modules.access.service.grant import check_may_grant, read_effective, read_includes, read_own
from xumi.modules.account.service import count_holders, move_holders, take_from_all
from xumi.modules.audit.service import record

_at_cloning: list[Callable[[AsyncSession, Principal, str, str], Awaitable[None]]] = []
_at_deletion: list[Callable[[AsyncSession, str], Awaitable[None]]] = []
_FILTERS = {Role.code: FilterTypeEnum.Like, Role.enabled: FilterTypeEnum.Boolean}


async def list_roles(query: RoleQuery) -> PaginateResponse[RoleOut]:
    """The roles that are wanted, by code."""
    sortable = [Role.code, Role.created_at, Role.updated_at]
    with primary():
        return await paginate_query(
            add_filters(select(Role), query, _FILTERS),
            query,
            RoleOut,
            sortable=sortable,
            default_sort="code",
        )


async def get_role(code: str) -> RoleOut:
    """One role as it is now.

    Raises:
        APIException: NOT_FOUND.
    """
    with primary():
        return await get_one(select(Role).where(Role.code == code), RoleOut)


async def create(session: AsyncSession, data: RoleCreate) -> str:
    """Make a role that grants nothing yet; returns its code.

    Raises:
        APIException: DUPLICATE, naming `code`.
    """
    await begin_change(session)
    await _add(session, data)
    record(session, "role.created", f"role:{data.code}", None, data.model_dump(exclude={"code"}))
    return data.code


async def clone(session: AsyncSession, principal: Principal, code: str, data: RoleCreate) -> str:
    """Make a role that can do what another one can; returns its code.

    It grants and includes the same, and gets what other features have given to that role (`at_cloning`).

    Raises:
        APIException: NOT_FOUND; DUPLICATE, naming `code`; ADMIN_FIXED; GRANT_REFUSED; whatever a feature refuses to copy with.
    """
    await begin_change(session)
    await require_role(session, code)
    refuse_admin(code)
    check_may_grant(principal, await read_effective(session, [code]))
    await _add(session, data)
    own, includes = (
        sorted(await read_own(session, code)),
        sorted((await read_includes(session)).get(code, ())),
    )
    granted: list[dict[str, Any]] = [{"role": data.code, "permission": permission} for permission in own]
    included: list[dict[str, Any]] = [{"role": data.code, "included": role} for role in includes]
    for model, rows in ((RolePermission, granted), (RoleInclude, included)):
        if rows:
            await session.execute(insert(model), [{"id": generate_key(), **row} for row in rows])
    after = data.model_dump(exclude={"code"}) | {"permissions": own, "includes": includes}
    record(session, "role.created", f"role:{data.code}", None, after)
    for follow in _at_cloning:
        await follow(session, principal, code, data.code)
    return data.code


def at_cloning(follow: Callable[[AsyncSession, Principal, str, str], Awaitable[None]]) -> None:
    """Call `follow` with who clones a role, its code and that of the clone, in the transaction that does so.

    It gives the clone what it has given to the role, writes that to the audit log, and raises an `APIException` where the caller
    may not give as much.
    """
    _at_cloning.append(follow)


async def _add(session: AsyncSession, data: RoleCreate) -> None:
    if await session.scalar(select(Role.id).where(Role.code == data.code)) is not None:
        raise APIException(APICode.DUPLICATE, errors=[FieldError("code", "is taken: choose another")])
    # Who was given a role of this name in the moment of its deletion must not hold the new one.
    await take_from_all(session, data.code)
    session.add(Role(**data.model_dump(), enabled=True, built_in=False))
    await session.flush()


async def update(session: AsyncSession, principal: Principal, code: str, data: RoleChange) -> None:
    """Change a role's titles, or whether it wants a second factor.

    Raises:
        APIException: NOT_FOUND; GRANT_REFUSED, for who lets a role do without a second factor makes it easier to come by.
    """
    await begin_change(session)
    role = await require_role(session, code)
    if role.second_factor_required and data.second_factor_required is False:
        check_may_grant(principal, await read_effective(session, [code]))
    before, after = {}, {}
    for name, value in data.model_dump(exclude_none=True).items():
        if getattr(role, name) != value:
            before[name], after[name] = getattr(role, name), value
            setattr(role, name, value)
    if after:
        record(session, "role.updated", f"role:{code}", before, after)


async def enable(session: AsyncSession, principal: Principal, code: str) -> None:
    """A role grants again what it did.

    Raises:
        APIException: NOT_FOUND; GRANT_REFUSED, for this gives it to its holders.
    """
    await begin_change(session)
    role = await require_role(session, code)
    if not role.enabled:
        check_may_grant(principal, await read_effective(session, [code]))
        role.enabled = True
        record(session, "role.enabled", f"role:{code}", {"enabled": False}, {"enabled": True})


async def disable(session: AsyncSession, code: str) -> None:
    """A role grants nothing any more, to its holders and in the roles that include it.

    Raises:
        APIException: NOT_FOUND, ROLE_BUILT_IN.
    """
    await begin_change(session)
    role = await require_role(session, code)
    _refuse_built_in(role)
    if role.enabled:
        role.enabled = False
        record(session, "role.disabled", f"role:{code}", {"enabled": True}, {"enabled": False})


async def remove(session: AsyncSession, principal: Principal, code: str, migrate_to: str | None) -> None:
    """Delete a role; its holders get another one.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED, naming `migrate_to`; ROLE_BUILT_IN; ROLE_INCLUDED; ROLE_IN_USE, it has holders
            and `migrate_to` is None; GRANT_REFUSED.
    """
    await begin_change(session)
    role = await require_role(session, code)
    _refuse_built_in(role)
    all_includes = await read_includes(session)
    if including := sorted(other for other, included in all_includes.items() if code in included):
        raise APIException(AccessCode.ROLE_INCLUDED, roles=", ".join(including))
    users = await count_holders(session, code)
    if migrate_to is not None:
        users = await _migrate(session, principal, code, migrate_to, "migrate_to")
    elif users:
        raise APIException(AccessCode.ROLE_IN_USE, count=users)
    before = {"title_en": role.title_en, "title_zh": role.title_zh, "enabled": role.enabled}
    before |= {"permissions": sorted(await read_own(session, code))}
    before |= {"includes": sorted(all_includes.get(code, ()))}
    await session.execute(delete(Role).where(Role.code == code))
    for follow in _at_deletion:
        await follow(session, code)
    after = None if migrate_to is None else {"migrated_to": migrate_to, "users": users}
    record(session, "role.deleted", f"role:{code}", before, after)


def at_deletion(follow: Callable[[AsyncSession, str], Awaitable[None]]) -> None:
    """Call `follow` with the code of each role that is deleted, in the transaction that does so."""
    _at_deletion.append(follow)


async def migrate(session: AsyncSession, principal: Principal, source: str, target: str) -> int:
    """Give the holders of one role another instead; returns how many they are.

    Raises:
        APIException: VALIDATION_FAILED, naming the field; GRANT_REFUSED; LAST_ADMINISTRATOR.
    """
    await begin_change(session)
    await require_role(session, source, field="from_role")
    users = await _migrate(session, principal, source, target, "to_role")
    record(session, "role.migrated", f"role:{source}", None, {"migrated_to": target, "users": users})
    return users


async def _migrate(session: AsyncSession, principal: Principal, source: str, target: str, field: str) -> int:
    role = await require_role(session, target, field=field)
    if source == target or not role.enabled:
        reason = "must be another role" if source == target else f"the role {target} is disabled"
        raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError(field, reason)])
    check_may_grant(principal, await read_effective(session, [target]))
    return await move_holders(session, source, target)


def _refuse_built_in(role: Role) -> None:
    if role.built_in:
        raise APIException(AccessCode.ROLE_BUILT_IN, role=role.code)


def refuse_admin(code: str) -> None:
    """What `admin` grants is fixed.

    Raises:
        APIException: ADMIN_FIXED.
    """
    if code == ADMIN:
        raise APIException(AccessCode.ADMIN_FIXED)

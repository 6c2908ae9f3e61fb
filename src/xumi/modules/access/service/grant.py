"""What roles grant: permissions of their own, and all that the roles grant which they include.

Nobody gives what he does not hold, in whichever way: not as a permission, an included role, a copy of a role or a role of a user.
"""

from collections.abc import Iterable, Set

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.principal import Principal
from xumi.kernel.context import current
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.ids import generate_key
from xumi.modules.access.constants import ADMIN
from xumi.modules.access.errors import AccessCode
from xumi.modules.access.models import AccessPermission, Role, RoleInclude, RolePermission
from xumi.modules.access.repository import require_role
from xumi.modules.access.schemas import RoleIncludesOut, RolePermissionsOut
from xumi.modules.access.service.change import begin_change
from xumi.modules.access.service.snapshot import reach
from xumi.modules.audit.service import record

_AT_A_TIME = 1000


def check_may_grant(principal: Principal, permissions: Set[str]) -> None:
    """Nobody gives what he does not hold.

    Raises:
        APIException: GRANT_REFUSED, naming some of what the caller lacks.
    """
    current().resources.access.require_all(principal, permissions)


async def read_own(session: AsyncSession, code: str) -> set[str]:
    """The permissions that a role has itself, those that no module declares any more too."""
    if code == ADMIN:
        return {EVERYTHING}
    statement = select(RolePermission.permission).where(RolePermission.role == code)
    return set((await session.scalars(statement)).all())


async def read_includes(session: AsyncSession) -> dict[str, set[str]]:
    """Which roles each role includes directly."""
    includes: dict[str, set[str]] = {}
    for role, included in await session.execute(select(RoleInclude.role, RoleInclude.included)):
        includes.setdefault(role, set()).add(included)
    return includes


async def read_effective(session: AsyncSession, codes: Iterable[str]) -> set[str]:
    """All that these roles would grant if every role were enabled."""
    roles = reach(codes, await read_includes(session))
    statement = select(RolePermission.permission).where(RolePermission.role.in_(roles)).distinct()
    granted = set((await session.scalars(statement)).all())
    return granted | {EVERYTHING} if ADMIN in roles else granted


async def show_permissions(session: AsyncSession, code: str) -> RolePermissionsOut:
    """What a role grants.

    Raises:
        APIException: NOT_FOUND.
    """
    await require_role(session, code)
    own = await read_own(session, code)
    inherited = await read_effective(session, [code]) - own
    return RolePermissionsOut(own=sorted(own), inherited=sorted(inherited))


async def set_permissions(
    session: AsyncSession, principal: Principal, code: str, permissions: Set[str]
) -> None:
    """A role has exactly these permissions itself.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED, naming `permissions`; ADMIN_FIXED; GRANT_REFUSED.
    """
    present = await _begin(session, code)
    await _change_permissions(session, principal, code, present, permissions)


async def add_permissions(
    session: AsyncSession, principal: Principal, code: str, permissions: Set[str]
) -> None:
    """A role has these permissions too. Raises what `set_permissions` does."""
    present = await _begin(session, code)
    await _change_permissions(session, principal, code, present, present | permissions)


async def take_permissions(
    session: AsyncSession, principal: Principal, code: str, permissions: Set[str]
) -> None:
    """A role has these permissions no more. Raises what `set_permissions` does."""
    present = await _begin(session, code)
    await _change_permissions(session, principal, code, present, present - permissions)


async def _begin(session: AsyncSession, code: str) -> set[str]:
    """Begin to change what a role grants; returns the permissions that it has itself."""
    await begin_change(session)
    await require_role(session, code)
    if code == ADMIN:
        raise APIException(AccessCode.ADMIN_FIXED)
    return await read_own(session, code)


async def _change_permissions(
    session: AsyncSession, principal: Principal, code: str, present: Set[str], wanted: Set[str]
) -> None:
    added, taken = sorted(wanted - present), sorted(present - wanted)
    if not added and not taken:
        return
    declared = select(AccessPermission.code).where(AccessPermission.vanished_at.is_(None))
    if unknown := sorted(set(added) - set((await session.scalars(declared)).all())):
        raise _refuse("permissions", f"there are no permissions {', '.join(unknown[:5])}")
    check_may_grant(principal, set(added))
    for start in range(0, len(taken), _AT_A_TIME):
        some = taken[start : start + _AT_A_TIME]
        mine = (RolePermission.role == code, RolePermission.permission.in_(some))
        await session.execute(delete(RolePermission).where(*mine))
    if added:
        rows = [{"id": generate_key(), "role": code, "permission": permission} for permission in added]
        await session.execute(insert(RolePermission), rows)
    before, after = {"permissions": sorted(present)}, {"permissions": sorted(wanted)}
    record(session, "role.granted", f"role:{code}", before, after)


async def show_includes(session: AsyncSession, code: str) -> RoleIncludesOut:
    """The roles that a role includes directly.

    Raises:
        APIException: NOT_FOUND.
    """
    await require_role(session, code)
    return RoleIncludesOut(includes=sorted((await read_includes(session)).get(code, ())))


async def set_includes(session: AsyncSession, principal: Principal, code: str, wanted: Set[str]) -> None:
    """A role includes exactly these roles.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED, naming `includes`: one does not exist, or includes this one; ADMIN_FIXED;
            GRANT_REFUSED.
    """
    await _begin(session, code)
    includes = await read_includes(session)
    present = includes.get(code, set())
    added = wanted - present
    known = select(Role.code).where(Role.code.in_(added))
    if unknown := sorted(added - set((await session.scalars(known)).all())):
        raise _refuse("includes", f"there are no roles {', '.join(unknown[:5])}")
    for role in sorted(added):
        if code in reach({role}, includes):
            raise _refuse(
                "includes",
                f"{role} includes {code} itself" if role != code else "a role cannot include itself",
            )
    check_may_grant(principal, await read_effective(session, added))
    if wanted == present:
        return
    await session.execute(
        delete(RoleInclude).where(RoleInclude.role == code, RoleInclude.included.in_(present - wanted))
    )
    if added:
        rows = [{"id": generate_key(), "role": code, "included": role} for role in sorted(added)]
        await session.execute(insert(RoleInclude), rows)
    before, after = {"includes": sorted(present)}, {"includes": sorted(wanted)}
    record(session, "role.included", f"role:{code}", before, after)


def _refuse(field: str, reason: str) -> APIException:
    return APIException(APICode.VALIDATION_FAILED, errors=[FieldError(field, reason)])

"""Who belongs to which department."""

from collections.abc import Iterable

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.principal import Principal
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_value, primary
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.modules.account.service import USERNAMES
from xumi.modules.audit.service import record
from xumi.modules.organization.errors import OrganizationCode
from xumi.modules.organization.models import Department, Member
from xumi.modules.organization.repository import read_departments_of
from xumi.modules.organization.schemas import MemberOut, MemberQuery, UserDepartments
from xumi.modules.organization.service.change import announce, lock
from xumi.modules.organization.service.department import get_department, get_for_change

_MEMBERS = select(Member.user_id, USERNAMES.c.username, func.coalesce(Member.main, False).label("main")).join(
    USERNAMES, USERNAMES.c.id == Member.user_id
)


async def list_members(department_id: str, query: MemberQuery) -> PaginateResponse[MemberOut]:
    """The members of one department, by name.

    Raises:
        APIException: NOT_FOUND.
    """
    await get_department(department_id)
    statement = _MEMBERS.where(Member.department_id == department_id)
    statement = add_filters(statement, query, {USERNAMES.c.username: FilterTypeEnum.Like})
    sortable = {"username": USERNAMES.c.username}
    return await paginate_query(statement, query, MemberOut, sortable=sortable, default_sort="username")


async def list_departments_of(user_id: str) -> UserDepartments:
    """The departments of a user.

    Raises:
        APIException: NOT_FOUND, there is no such user.
    """
    with primary():
        await _check_user(user_id)
        return _outline(await read_departments_of(user_id))


async def set_departments_of(
    session: AsyncSession, principal: Principal, user_id: str, data: UserDepartments
) -> None:
    """Set all departments of a user.

    Raises:
        APIException: NOT_FOUND, OWN_DEPARTMENTS, DEPARTMENT_DISABLED; VALIDATION_FAILED (`main`, `more`).
    """
    if data.main is None and data.more:
        raise _refuse("main", "must be one of the departments when there are any")
    version = await lock(session)
    await _check_user(user_id)
    _keep_own(principal, [user_id])
    before = await read_departments_of(user_id)
    wanted = dict.fromkeys(data.more, False)
    if data.main is not None:
        wanted[data.main] = True
    await _check_departments(session, wanted, set(wanted) - set(before), data.main)
    await session.execute(delete(Member).where(Member.user_id == user_id))
    session.add_all(
        Member(user_id=user_id, department_id=department, main=main or None)
        for department, main in sorted(wanted.items())
    )
    await session.flush()
    await announce(session, version, [user_id])
    told = _outline(before).model_dump(mode="json"), _outline(wanted).model_dump(mode="json")
    record(session, "membership.changed", f"user:{user_id}", *told)


async def set_members(
    session: AsyncSession, principal: Principal, department_id: str, user_ids: set[str]
) -> None:
    """Set all members of a department.

    Raises:
        APIException: NOT_FOUND, OWN_DEPARTMENTS, DEPARTMENT_DISABLED; VALIDATION_FAILED (`user_ids`).
    """
    version = await lock(session)
    department = await get_for_change(session, department_id)
    before = set(await session.scalars(select(Member.user_id).where(Member.department_id == department_id)))
    added, removed = sorted(user_ids - before), sorted(before - user_ids)
    if added and not department.enabled:
        raise APIException(OrganizationCode.DEPARTMENT_DISABLED)
    _keep_own(principal, [*added, *removed])
    known = set(await session.scalars(select(USERNAMES.c.id).where(USERNAMES.c.id.in_(added))))
    if unknown := [user for user in added if user not in known]:
        raise _refuse("user_ids", f"there is no user {unknown[0]!r}")
    await session.execute(
        delete(Member).where(Member.department_id == department_id, Member.user_id.in_(removed))
    )
    await _choose_main(session, removed)
    settled = set(
        await session.scalars(select(Member.user_id).where(Member.user_id.in_(added), Member.main.is_(True)))
    )
    session.add_all(
        Member(user_id=user, department_id=department_id, main=None if user in settled else True)
        for user in added
    )
    await session.flush()
    await announce(session, version, [*added, *removed])
    told = {"removed": removed}, {"added": added}
    record(session, "department.members-set", f"department:{department_id}", *told)


async def _choose_main(session: AsyncSession, users: Iterable[str]) -> None:
    """Make the oldest remaining department the main one of those who have left theirs."""
    rows = await session.execute(
        select(Member.user_id, Member.id, Member.main).where(Member.user_id.in_(users)).order_by(Member.id)
    )
    oldest: dict[str, str] = {}
    settled = set()
    for user, member, main in rows:
        oldest.setdefault(user, member)
        if main:
            settled.add(user)
    chosen = [member for user, member in oldest.items() if user not in settled]
    if chosen:
        await session.execute(update(Member).where(Member.id.in_(chosen)).values(main=True))


async def _check_user(user_id: str) -> None:
    if await fetch_value(select(USERNAMES.c.id).where(USERNAMES.c.id == user_id)) is None:
        raise APIException(APICode.NOT_FOUND)


def _keep_own(principal: Principal, user_ids: Iterable[str]) -> None:
    """Who puts himself into a department would reach its rows."""
    if principal.user_id in user_ids and EVERYTHING not in principal.permissions:
        raise APIException(OrganizationCode.OWN_DEPARTMENTS)


async def _check_departments(
    session: AsyncSession, wanted: Iterable[str], added: Iterable[str], main: str | None
) -> None:
    rows = await session.execute(select(Department.id, Department.enabled).where(Department.id.in_(wanted)))
    enabled: dict[str, bool] = {row.id: row.enabled for row in rows}
    for department in wanted:
        if department not in enabled:
            field = "main" if department == main else "more"
            raise _refuse(field, f"there is no department {department!r}")
    if not all(enabled[department] for department in added):
        raise APIException(OrganizationCode.DEPARTMENT_DISABLED)


def _outline(departments: dict[str, bool]) -> UserDepartments:
    main = next((department for department, is_main in departments.items() if is_main), None)
    return UserDepartments(main=main, more=set(departments) - {main})


def _refuse(field: str, reason: str) -> APIException:
    return APIException(APICode.VALIDATION_FAILED, errors=[FieldError(field, reason)])

"""Accounts as administrators manage them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.password import hash_password
from xumi.kernel.auth.principal import Principal
from xumi.kernel.context import current
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import Count, PaginateResponse, paginate_query
from xumi.kernel.db.read import get_one, primary
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.ids import generate_key
from xumi.modules.account.enums import Role
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.models import User, UserRole, comparison_key
from xumi.modules.account.repository import USER_BY_ID, USER_ROWS, lock_administrators, lock_users, read_roles
from xumi.modules.account.schemas import UserChange, UserCreate, UserOut, UserQuery, UserReplace
from xumi.modules.account.service import access
from xumi.modules.account.service.policy import check_password
from xumi.modules.account.service.second_factor import remove as remove_second_factor
from xumi.modules.account.service.session import drop as drop_sessions
from xumi.modules.audit.service import record

# Ids are made in the order of time; names and addresses are sorted as they are compared, which has an index.
_SORTABLE = {
    "id": User.id,
    "username": User.username_key,
    "email": User.email_key,
    "enabled": User.enabled,
    "created_at": User.created_at,
    "updated_at": User.updated_at,
    "last_login_at": User.last_login_at,
}
_COUNTS: Sequence[Count] = ("exact", "cached", "estimate", "none")
_FILTERS = {
    User.username: FilterTypeEnum.Like,
    User.email: FilterTypeEnum.Like,
    User.enabled: FilterTypeEnum.Boolean,
    User.created_at: FilterTypeEnum.Datetime,
}


async def list_users(query: UserQuery) -> PaginateResponse[UserOut]:
    """The accounts that are wanted, the newest first.

    Raises:
        APIException: VALIDATION_FAILED, naming what is wrong with the query.
    """
    statement = add_filters(USER_ROWS, query, _FILTERS)
    if query.role is not None:
        statement = statement.where(User.id.in_(select(UserRole.user_id).where(UserRole.role == query.role)))
    return await paginate_query(
        statement, query, UserOut, sortable=_SORTABLE, default_sort="-id", counts=_COUNTS
    )


async def get_user(user_id: str) -> UserOut:
    """One account as it is now, for writes depend on it.

    Raises:
        APIException: NOT_FOUND.
    """
    with primary():
        return await get_one(USER_BY_ID, UserOut, {"user_id": user_id})


async def add_user(
    session: AsyncSession,
    *,
    username: str,
    email: str | None,
    password_hash: str,
    roles: Iterable[str],
    enabled: bool = True,
) -> User:
    """Store a new account.

    Raises:
        APIException: DUPLICATE, naming the fields that are taken.
    """
    user = User(
        id=generate_key(),
        username=username,
        email=email,
        password_hash=password_hash,
        enabled=enabled,
        epoch=0,
    )
    async with _free_names(session, user.id, username, email):
        session.add(user)
    held = sorted(roles)
    session.add_all(UserRole(user_id=user.id, role=role) for role in held)
    facts = {"username": username, "email": email, "roles": held, "enabled": enabled}
    record(session, "user.created", f"user:{user.id}", None, facts)
    return user


async def create(session: AsyncSession, principal: Principal, data: UserCreate) -> str:
    """Make an account; returns its id.

    Raises:
        APIException: DUPLICATE, VALIDATION_FAILED (password, roles), ADMINISTRATOR_REQUIRED, GRANT_REFUSED.
    """
    check_roles(data.roles)
    refuse_escalation(principal, data.roles)
    check_password(data.password, data.username, data.email)
    password_hash = await hash_password(data.password)
    facts = data.model_dump(include={"username", "email", "roles", "enabled"})
    return (await add_user(session, password_hash=password_hash, **facts)).id


async def update(
    session: AsyncSession, principal: Principal, user_id: str, data: UserReplace | UserChange
) -> None:
    """Set what `data` holds. A change of roles, and disabling, end all access tokens; disabling ends the sessions too.

    Raises:
        APIException: NOT_FOUND, DUPLICATE, VALIDATION_FAILED (roles), ADMINISTRATOR_REQUIRED, GRANT_REFUSED,
            LAST_ADMINISTRATOR.
    """
    administrators = await lock_administrators(session) if _may_lose_administrator(data) else set()
    user, roles = await _get_locked(session, principal, user_id)
    wanted: set[str] = roles if data.roles is None else set(data.roles)
    enabled = user.enabled if data.enabled is None else data.enabled
    # A role that has been disabled or deleted since may stay: it grants nothing.
    check_roles(wanted - roles)
    refuse_escalation(principal, wanted)
    if not enabled or Role.ADMIN not in wanted:
        _keep_an_administrator(administrators, [user_id])
    before = _describe(user, roles)
    username, email = data.username or user.username, data.email or user.email
    async with _free_names(session, user_id, username, email):
        user.username, user.email, user.enabled = username, email, enabled
    if wanted != roles:
        await session.execute(
            delete(UserRole).where(UserRole.user_id == user_id, UserRole.role.in_(roles - wanted))
        )
        session.add_all(UserRole(user_id=user_id, role=role) for role in sorted(wanted - roles))
    after = _describe(user, wanted)
    changed = [name for name in after if after[name] != before[name]]
    if "roles" in changed or "enabled" in changed:
        access.raise_epoch(session, user)
    if not enabled:
        await drop_sessions(session, user_id)
    if changed:
        was, is_now = ({name: facts[name] for name in changed} for facts in (before, after))
        record(session, "user.updated", f"user:{user_id}", was, is_now)


async def remove(session: AsyncSession, principal: Principal, user_ids: Sequence[str]) -> int:
    """Delete accounts; returns how many of them existed.

    Raises:
        APIException: ADMINISTRATOR_REQUIRED, GRANT_REFUSED, LAST_ADMINISTRATOR; then nothing is deleted.
    """
    administrators = await lock_administrators(session)
    users = await lock_users(session, user_ids)
    held = await read_roles(session, [user.id for user in users])
    refuse_escalation(principal, *held.values())
    _keep_an_administrator(administrators, held)
    for user in users:
        access.raise_epoch(session, user)
        record(session, "user.deleted", f"user:{user.id}", _describe(user, held[user.id]), None)
        await session.delete(user)
    return len(users)


async def reset_password(session: AsyncSession, principal: Principal, user_id: str, password: str) -> None:
    """Give an account another password and end all its sessions.

    Raises:
        APIException: NOT_FOUND, VALIDATION_FAILED (password), ADMINISTRATOR_REQUIRED, GRANT_REFUSED.
    """
    known = await get_user(user_id)
    check_password(password, known.username, known.email)
    password_hash = await hash_password(password)
    user, _ = await _get_locked(session, principal, user_id)
    user.password_hash = password_hash
    access.raise_epoch(session, user)
    await drop_sessions(session, user_id)
    record(session, "user.password_reset", f"user:{user_id}", None, None)


def _describe(user: User, roles: Iterable[str]) -> dict[str, Any]:
    """What the audit log tells of an account."""
    facts = {"username": user.username, "email": user.email}
    return {**facts, "roles": sorted(roles), "enabled": user.enabled}


async def check_may_change(session: AsyncSession, principal: Principal, user_id: str) -> User:
    """The user, locked.

    Raises:
        APIException: NOT_FOUND; ADMINISTRATOR_REQUIRED.
    """
    return (await _get_locked(session, principal, user_id))[0]


async def reset_second_factor(session: AsyncSession, principal: Principal, user_id: str) -> None:
    """Take an account's second factor away, for who has lost his app and his recovery codes. Doing it twice changes nothing.

    Raises:
        APIException: NOT_FOUND, ADMINISTRATOR_REQUIRED.
    """
    await _get_locked(session, principal, user_id)
    if await remove_second_factor(session, user_id):
        record(session, "second_factor.reset", f"user:{user_id}", {"kind": "totp"}, None)


def _may_lose_administrator(data: UserReplace | UserChange) -> bool:
    return data.enabled is False or (data.roles is not None and Role.ADMIN not in data.roles)


async def _get_locked(session: AsyncSession, principal: Principal, user_id: str) -> tuple[User, set[str]]:
    """A user, locked, and his roles, if the caller may change him."""
    users = await lock_users(session, [user_id])
    if not users:
        raise APIException(APICode.NOT_FOUND)
    roles = (await read_roles(session, [user_id]))[user_id]
    refuse_escalation(principal, roles)
    return users[0], roles


def check_roles(roles: Iterable[str]) -> None:
    """Refuse to give roles that do not exist or are disabled.

    Raises:
        APIException: VALIDATION_FAILED, naming `roles`.
    """
    snapshot = current().resources.access
    if unknown := sorted(role for role in roles if not snapshot.has_role(role)):
        problem = FieldError("roles", f"there are no enabled roles {', '.join(unknown)}")
        raise APIException(APICode.VALIDATION_FAILED, errors=[problem])


def refuse_escalation(principal: Principal, *role_sets: Iterable[str]) -> None:
    """Who manages users gives nobody, and takes from nobody, more than he may himself.

    Raises:
        APIException: ADMINISTRATOR_REQUIRED, or GRANT_REFUSED for what lies between.
    """
    snapshot, roles = current().resources.access, {role for roles in role_sets for role in roles}
    granted = snapshot.permissions_of(roles)
    if EVERYTHING not in principal.permissions and (Role.ADMIN in roles or EVERYTHING in granted):
        raise APIException(AccountCode.ADMINISTRATOR_REQUIRED)
    snapshot.require_all(principal, granted)


def _keep_an_administrator(administrators: set[str], leaving: Iterable[str]) -> None:
    if administrators and administrators <= set(leaving):
        raise APIException(AccountCode.LAST_ADMINISTRATOR)


@asynccontextmanager
async def _free_names(
    session: AsyncSession, user_id: str, username: str, email: str | None
) -> AsyncIterator[None]:
    """Send what the block sets; the database decides whether the name and the address are free.

    Raises:
        APIException: DUPLICATE, naming the fields that are taken.
    """
    try:
        async with session.begin_nested():
            yield
    except IntegrityError as error:
        wanted = {
            User.username_key: comparison_key(username),
            User.email_key: email and comparison_key(email),
        }
        errors = []
        for column, key in wanted.items():
            taken = select(User.id).where(column == key, User.id != user_id)
            if key is not None and await session.scalar(taken) is not None:
                errors.append(FieldError(column.key.removesuffix("_key"), "is taken: choose another"))
        raise APIException(APICode.DUPLICATE, errors=errors) from error

"""Queries of accounts that are used twice or are long."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Dialect, String, and_, bindparam, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeDecorator

from xumi.kernel import clock
from xumi.kernel.db.read import fetch_one, primary
from xumi.kernel.schema import SchemaBase
from xumi.modules.account.enums import Role
from xumi.modules.account.models import SecondFactor, User, UserRole, UserSession


def _split_roles(joined: str | None) -> list[str]:
    if not joined:
        return []
    return sorted(joined.split(",")) if "," in joined else [joined]


class RoleList(TypeDecorator[list[str]]):
    """Role names that a query has put together with commas, as a sorted list."""

    impl = String
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], list[str]]:
        """Sorted, because databases put them together in any order."""
        return _split_roles


ROLES = type_coerce(
    select(func.aggregate_strings(UserRole.role, ","))
    .where(UserRole.user_id == User.id)
    .correlate(User)
    .scalar_subquery(),
    RoleList(),
).label("roles")
"""The roles of the user in the row."""

USER_ROWS = select(
    User.id,
    User.username,
    User.email,
    ROLES,
    User.enabled,
    User.last_login_at,
    User.created_at,
    User.updated_at,
)
"""Accounts as `UserOut` shows them."""

USERNAMES = select(User.id, User.username).subquery("account_username")
"""Ids and names, for joins of other features."""

USER_BY_ID = USER_ROWS.where(User.id == bindparam("user_id"))
"""One of them."""


class Credentials(SchemaBase):
    """What proves who somebody is."""

    id: str
    username: str
    email: str | None
    password_hash: str
    enabled: bool


async def find_credentials(whose: ColumnElement[bool]) -> Credentials | None:
    """The credentials of one user. No transaction stays open, for hashing a password takes long."""
    statement = select(User.id, User.username, User.email, User.password_hash, User.enabled).where(whose)
    with primary():
        return await fetch_one(statement, Credentials)


class SessionState(SchemaBase):
    """A session with what its next access token will say."""

    id: str
    user_id: str
    epoch: int
    roles: list[str]
    token_hash: str
    previous_hash: str | None
    rotated_at: datetime | None


_LIVING_SESSION = (
    select(
        UserSession.id,
        UserSession.user_id,
        User.epoch,
        ROLES,
        UserSession.token_hash,
        UserSession.previous_hash,
        UserSession.rotated_at,
    )
    .join(User, User.id == UserSession.user_id)
    .where(UserSession.id == bindparam("session_id"), UserSession.expires_at > bindparam("now"), User.enabled)
)


async def find_session(session_id: str) -> SessionState | None:
    """A session that has not expired, of an enabled user; everything about it is of one moment."""
    with primary():
        return await fetch_one(_LIVING_SESSION, SessionState, {"session_id": session_id, "now": clock.now()})


ENROLLED = select(SecondFactor.id).where(
    SecondFactor.user_id == bindparam("user_id"), SecondFactor.confirmed_at.is_not(None)
)
"""The confirmed second factor of a user."""


async def lock_users(session: AsyncSession, user_ids: Sequence[str]) -> list[User]:
    """The users that exist among these, locked until the transaction ends, in the order of their ids."""
    statement = select(User).where(User.id.in_(user_ids)).order_by(User.id).with_for_update()
    return list((await session.scalars(statement.execution_options(populate_existing=True))).all())


async def lock_administrators(session: AsyncSession) -> set[str]:
    """The ids of all enabled administrators, locked so that nobody else takes one away meanwhile."""
    statement = (
        select(User.id)
        .join(UserRole, and_(UserRole.user_id == User.id, UserRole.role == Role.ADMIN))
        .where(User.enabled)
        .order_by(User.id)
        .with_for_update()
    )
    return set((await session.scalars(statement)).all())


async def read_roles(session: AsyncSession, user_ids: Sequence[str]) -> dict[str, set[str]]:
    """The roles of each of these users."""
    found: dict[str, set[str]] = {user_id: set() for user_id in user_ids}
    rows = await session.execute(
        select(UserRole.user_id, UserRole.role).where(UserRole.user_id.in_(user_ids))
    )
    for user_id, role in rows:
        found[user_id].add(role)
    return found

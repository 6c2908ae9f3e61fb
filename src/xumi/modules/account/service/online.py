"""Everybody's sessions, as administrators see and end them."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Dialect, String, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeDecorator

from xumi.kernel import clock
from xumi.kernel.auth.principal import Principal
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import primary
from xumi.kernel.errors import APICode, APIException
from xumi.modules.account.constants import ONLINE_SECONDS
from xumi.modules.account.models import User, UserSession
from xumi.modules.account.repository import read_roles
from xumi.modules.account.schemas import OnlineSessionOut, OnlineSessionQuery
from xumi.modules.account.service import access
from xumi.modules.account.service import session as sessions
from xumi.modules.account.service.user import check_may_change, refuse_escalation
from xumi.modules.audit.service import record

# The first that fits: most browsers also name those whose pages they want to get.
_PROGRAMS = (
    ("WeChat", r"MicroMessenger/"),
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/"),
    ("Firefox", r"(?:Firefox|FxiOS)/"),
    ("Chrome", r"(?:Chrome|CriOS)/"),
    ("Safari", r"Safari/"),
)
_SYSTEMS = (
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Android", r"Android"),
    ("HarmonyOS", r"HarmonyOS|OpenHarmony"),
    ("Windows", r"Windows"),
    ("macOS", r"Mac OS X|Macintosh"),
    ("Linux", r"Linux"),
)
_PRODUCT = re.compile(r"[\w.+-]{1,40}")


def describe_device(user_agent: str) -> str:
    """What people call the device: `Chrome on Windows`, or the first word of what a program says of itself; empty for nothing."""
    program = next((name for name, sign in _PROGRAMS if re.search(sign, user_agent)), None)
    if program is None:
        product = _PRODUCT.match(user_agent)
        program = product[0] if product else ""
    system = next((name for name, sign in _SYSTEMS if re.search(sign, user_agent)), None)
    return f"{program} on {system}" if program and system else program or system or ""


class Device(TypeDecorator[str]):
    """A user agent, read as what people call the device."""

    impl = String
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str] | None:
        """Parsed as rows are read: nothing is stored that a better parser would have to change."""
        return describe_device


_ROWS = select(
    UserSession.id,
    UserSession.user_id,
    User.username,
    type_coerce(UserSession.user_agent, Device()).label("device"),
    UserSession.ip,
    UserSession.last_used_at.label("last_seen_at"),
    UserSession.created_at.label("since"),
).join(User, User.id == UserSession.user_id)
_FILTERS = {
    UserSession.user_id: FilterTypeEnum.Equals,
    User.username: FilterTypeEnum.Like,
    UserSession.ip: FilterTypeEnum.Equals,
}
_SORTABLE = {
    "last_seen_at": UserSession.last_used_at,
    "since": UserSession.created_at,
    "username": User.username_key,
    "ip": UserSession.ip,
}


async def list_sessions(query: OnlineSessionQuery) -> PaginateResponse[OnlineSessionOut]:
    """Everybody's living sessions, the last seen first.

    Raises:
        APIException: VALIDATION_FAILED, naming what is wrong with the query.
    """
    now = clock.now()
    statement = add_filters(_ROWS.where(UserSession.expires_at > now), query, _FILTERS)
    if query.online is not None:
        is_online = UserSession.last_used_at >= now - timedelta(seconds=ONLINE_SECONDS)
        statement = statement.where(is_online if query.online else ~is_online)
    with primary():
        return await paginate_query(
            statement, query, OnlineSessionOut, sortable=_SORTABLE, default_sort="-last_seen_at"
        )


async def end_session(session: AsyncSession, principal: Principal, session_id: str) -> None:
    """End anybody's session, on every worker within a second.

    Raises:
        APIException: NOT_FOUND; ADMINISTRATOR_REQUIRED.
    """
    statement = select(UserSession).where(UserSession.id == session_id)
    found = await session.scalar(statement.with_for_update())
    if found is None:
        raise APIException(APICode.NOT_FOUND)
    refuse_escalation(principal, (await read_roles(session, [found.user_id]))[found.user_id])
    await sessions.end(session, [session_id])
    record(
        session, "session.ended", f"session:{session_id}", {"user_id": found.user_id, "ip": found.ip}, None
    )


async def end_sessions(session: AsyncSession, principal: Principal, user_id: str) -> None:
    """End all sessions of a user, on every worker within a second.

    Raises:
        APIException: NOT_FOUND; ADMINISTRATOR_REQUIRED.
    """
    user = await check_may_change(session, principal, user_id)
    access.raise_epoch(session, user)
    await sessions.drop(session, user_id)
    record(session, "session.ended", f"user:{user_id}", {"sessions": "all"}, None)

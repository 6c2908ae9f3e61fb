"""Sessions: begun by a sign-in, kept alive by refreshing, ended by their owner, a new password or an administrator."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth.principal import Principal
from xumi.kernel.auth.refresh import digest
from xumi.kernel.context import current
from xumi.kernel.db.query import PaginateRequest, PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_value, primary
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.ids import generate_key
from xumi.modules.account.constants import REFRESH_RETRY_SECONDS
from xumi.modules.account.models import User, UserSession
from xumi.modules.account.repository import ENROLLED, SessionState, find_session
from xumi.modules.account.schemas import SessionOut, TokensOut
from xumi.modules.account.service import access


def begin(session: AsyncSession, user: User, roles: Sequence[str], user_agent: str) -> TokensOut:
    """A new session of a user who has proved who he is."""
    context, now, session_id = current(), clock.now(), generate_key()
    refresh_token = context.resources.tokens.refresh.first(session_id)
    session.add(
        UserSession(
            id=session_id,
            user_id=user.id,
            token_hash=digest(refresh_token),
            created_at=now,
            last_used_at=now,
            expires_at=now + timedelta(seconds=context.resources.settings.refresh_token_seconds),
            ip=context.ip[:45],
            user_agent=user_agent[:200],
        )
    )
    return _issue(user.id, user.epoch, roles, session_id, refresh_token)


async def refresh(token: str) -> TokensOut:
    """Exchange a refresh token for an access token and the next refresh token.

    All who exchange one token at the same time get the same successor, and so does whoever repeats it within ten seconds,
    as long as the successor has not been used. Otherwise somebody else has a copy, and the session ends; this is committed
    although the answer is an error, which is why no request's transaction is used here.

    Raises:
        APIException: REFRESH_FAILED, whatever the reason.
    """
    tokens = current().resources.tokens
    session_id = tokens.refresh.find_session(token)
    state = session_id and await find_session(session_id)
    if not state or await _lacks_second_factor(state):
        raise APIException(APICode.REFRESH_FAILED)
    successor = tokens.refresh.successor(token)
    old, new = digest(token), digest(successor)
    if state.token_hash == old and not await _rotate(state.id, old, new):
        # Another request was faster, or the session has just ended.
        state = await find_session(state.id)
        if state is None:
            raise APIException(APICode.REFRESH_FAILED)
    if state.token_hash != old and not _is_retry(state, old, new):
        async with unit_of_work() as work:
            await end(work.session, [state.id])
        raise APIException(APICode.REFRESH_FAILED)
    return _issue(state.user_id, state.epoch, state.roles, state.id, successor)


async def _lacks_second_factor(state: SessionState) -> bool:
    """Whether a role requires a second factor that the user has not set up: his next sign-in makes him do so."""
    if not current().resources.access.requires_second_factor(state.roles):
        return False
    with primary():
        return not await fetch_value(ENROLLED, {"user_id": state.user_id})


async def _rotate(session_id: str, old: str, new: str) -> bool:
    """Put the new token's hash in the place of the old one's; one of all who try this succeeds."""
    now, life = clock.now(), timedelta(seconds=current().resources.settings.refresh_token_seconds)
    async with unit_of_work() as work:
        result = await work.session.execute(
            update(UserSession)
            .where(UserSession.id == session_id, UserSession.token_hash == old, UserSession.expires_at > now)
            .values(
                token_hash=new, previous_hash=old, rotated_at=now, last_used_at=now, expires_at=now + life
            )
        )
    return cast(CursorResult[Any], result).rowcount == 1


def _is_retry(state: SessionState, old: str, new: str) -> bool:
    """Whether the token was exchanged a moment ago, and nothing has happened since."""
    return (
        (state.token_hash, state.previous_hash) == (new, old)
        and state.rotated_at is not None
        and clock.now() - state.rotated_at <= timedelta(seconds=REFRESH_RETRY_SECONDS)
    )


async def list_own(principal: Principal, query: PaginateRequest) -> PaginateResponse[SessionOut]:
    """A user's living sessions, the last used first."""
    statement = select(
        UserSession.id,
        UserSession.ip,
        UserSession.user_agent,
        UserSession.created_at,
        UserSession.last_used_at,
        UserSession.expires_at,
        (UserSession.id == principal.session_id).label("current"),
    ).where(UserSession.user_id == principal.user_id, UserSession.expires_at > clock.now())
    sortable = [UserSession.created_at, UserSession.last_used_at]
    with primary():
        return await paginate_query(
            statement, query, SessionOut, sortable=sortable, default_sort="-last_used_at"
        )


async def end(session: AsyncSession, session_ids: Sequence[str]) -> None:
    """End sessions: no refresh any more, and access tokens die on every worker within a second."""
    await session.execute(delete(UserSession).where(UserSession.id.in_(session_ids)))
    for session_id in session_ids:
        access.end_session(session, session_id)


async def end_own(session: AsyncSession, user_id: str, session_id: str) -> None:
    """End one session of a user.

    Raises:
        APIException: NOT_FOUND when it is not his, or has ended.
    """
    statement = select(UserSession.id).where(UserSession.id == session_id, UserSession.user_id == user_id)
    if await session.scalar(statement.with_for_update()) is None:
        raise APIException(APICode.NOT_FOUND)
    await end(session, [session_id])


async def end_others(session: AsyncSession, user_id: str, kept_session_id: str) -> None:
    """End all sessions of a user but one."""
    statement = select(UserSession.id).where(
        UserSession.user_id == user_id, UserSession.id != kept_session_id
    )
    # In one order, so that two who do this at once cannot block each other.
    await end(session, (await session.scalars(statement.order_by(UserSession.id).with_for_update())).all())


async def drop(session: AsyncSession, user_id: str, *, but: str = "") -> None:
    """End all sessions of a user but one, where a raised epoch has ended the access tokens already."""
    await session.execute(delete(UserSession).where(UserSession.user_id == user_id, UserSession.id != but))


def _issue(user_id: str, epoch: int, roles: Sequence[str], session_id: str, refresh_token: str) -> TokensOut:
    token, seconds = current().resources.tokens.issue_access(user_id, session_id, tuple(roles), epoch)
    return TokensOut(access_token=token, refresh_token=refresh_token, expires_in=seconds)

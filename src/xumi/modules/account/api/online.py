"""Everybody's sessions, as administrators see and end them."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.account.schemas import OnlineSessionOut, OnlineSessionQuery
from xumi.modules.account.service import online

router = get_router(prefix="/api/v1", tags=["sessions"])


@router.get("/sessions", permission="online:list")
async def list_sessions(query: Annotated[OnlineSessionQuery, Query()]) -> PaginateResponse[OnlineSessionOut]:
    """A page of everybody's living sessions, the last seen first."""
    return await online.list_sessions(query)


@router.delete("/sessions/{session_id}", permission="online:end", status_code=204)
async def end_session(session: Session, principal: CurrentPrincipal, session_id: str) -> None:
    """End one session of anybody; its tokens die within a second."""
    await online.end_session(session, principal, session_id)


@router.delete("/users/{user_id}/sessions", permission="online:end", status_code=204)
async def end_sessions(session: Session, principal: CurrentPrincipal, user_id: str) -> None:
    """End all sessions of one account; its tokens die within a second."""
    await online.end_sessions(session, principal, user_id)

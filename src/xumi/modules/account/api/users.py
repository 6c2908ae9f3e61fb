"""Accounts, as administrators manage them."""

from typing import Annotated

from fastapi import Body, Query
from pydantic import AfterValidator

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId, refuse_nul
from xumi.modules.account.constants import MAX_IDS
from xumi.modules.account.schemas import (
    PasswordReset,
    UserChange,
    UserCreate,
    UserOut,
    UserQuery,
    UserReplace,
)
from xumi.modules.account.service import user as users

router = get_router(prefix="/api/v1/users", tags=["users"])


@router.get("", permission="user:list")
async def list_users(query: Annotated[UserQuery, Query()]) -> PaginateResponse[UserOut]:
    """A page of accounts, or all that match as a file."""
    return await users.list_users(query)


@router.post("/query", permission="user:list")
async def query_users(query: UserQuery) -> PaginateResponse[UserOut]:
    """The same list, asked for with a body."""
    return await users.list_users(query)


@router.get("/{user_id}", permission="user:read")
async def get_user(user_id: str) -> UserOut:
    """One account."""
    return await users.get_user(user_id)


@router.post("", permission="user:create", status_code=201)
async def create_user(session: Session, principal: CurrentPrincipal, body: UserCreate) -> RowId:
    """Make an account; `data` is its id."""
    return await users.create(session, principal, body)


@router.put("/{user_id}", permission="user:replace", status_code=204)
async def replace_user(
    session: Session, principal: CurrentPrincipal, user_id: str, body: UserReplace
) -> None:
    """Set all of an account that can be set."""
    await users.update(session, principal, user_id, body)


@router.patch("/{user_id}", permission="user:update", status_code=204)
async def update_user(session: Session, principal: CurrentPrincipal, user_id: str, body: UserChange) -> None:
    """Set some of an account; what is left out stays."""
    await users.update(session, principal, user_id, body)


@router.delete("/{user_id}", permission="user:delete", status_code=204)
async def delete_user(session: Session, principal: CurrentPrincipal, user_id: str) -> None:
    """Delete one account."""
    if await users.remove(session, principal, [user_id]) == 0:
        raise APIException(APICode.NOT_FOUND)


@router.delete("", permission="user:delete", status_code=204)
async def delete_users(
    session: Session,
    principal: CurrentPrincipal,
    ids: Annotated[
        list[Annotated[str, AfterValidator(refuse_nul)]],
        Body(
            min_length=1,
            max_length=MAX_IDS,
            description="Ids; unknown ones are passed over.",
            examples=[["01KA4S0Z7Y3T5C1B9FQ8H2MKVD"]],
        ),
    ],
) -> None:
    """Delete several accounts, or none when one of them must not go."""
    await users.remove(session, principal, ids)


@router.post("/{user_id}/enable", permission="user:enable", status_code=204)
async def enable_user(session: Session, principal: CurrentPrincipal, user_id: str) -> None:
    """Let an account sign in again."""
    await users.update(session, principal, user_id, UserChange(enabled=True))


@router.post("/{user_id}/disable", permission="user:disable", status_code=204)
async def disable_user(session: Session, principal: CurrentPrincipal, user_id: str) -> None:
    """Keep an account from signing in, and end its access at once."""
    await users.update(session, principal, user_id, UserChange(enabled=False))


@router.post("/{user_id}/reset-password", permission="user:reset-password", status_code=204)
async def reset_password(
    session: Session, principal: CurrentPrincipal, user_id: str, body: PasswordReset
) -> None:
    """Give an account another password and end its sessions."""
    await users.reset_password(session, principal, user_id, body.password)


@router.delete("/{user_id}/second-factor", permission="user:reset-second-factor", status_code=204)
async def reset_second_factor(session: Session, principal: CurrentPrincipal, user_id: str) -> None:
    """Take an account's second factor and recovery codes away."""
    await users.reset_second_factor(session, principal, user_id)

"""One's own API keys."""

from typing import Annotated

from fastapi import Query, Response

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.query import PaginateRequest, PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.apikey import service
from xumi.modules.apikey.schemas import ApiKeyCreate, ApiKeyCreated, ApiKeyOut

router = get_router(prefix="/auth/api-keys", tags=["api keys"])


@router.get("", permission="apikey:list")
async def list_own_keys(
    principal: CurrentPrincipal, query: Annotated[PaginateRequest, Query()]
) -> PaginateResponse[ApiKeyOut]:
    """One's own keys, the newest first, also those that ended within the last 90 days."""
    return await service.list_own(principal, query)


@router.post("", permission="apikey:create", status_code=201, rate_limit="30/minute")
async def create_key(
    session: Session, principal: CurrentPrincipal, body: ApiKeyCreate, response: Response
) -> ApiKeyCreated:
    """Make a key; it is shown this once. It may do what it is given here, as long as its owner may."""
    response.headers["Cache-Control"] = "no-store"
    return await service.create(session, principal, body)


@router.delete("/{key_id}", permission="apikey:revoke", status_code=204)
async def revoke_own_key(session: Session, principal: CurrentPrincipal, key_id: str) -> None:
    """End one of one's own keys, on every worker within a second."""
    await service.revoke(session, key_id, owner_id=principal.user_id)

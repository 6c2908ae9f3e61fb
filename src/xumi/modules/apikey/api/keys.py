"""Everybody's API keys, as administrators see them."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.apikey import service
from xumi.modules.apikey.schemas import ApiKeyOut, ApiKeyQuery

router = get_router(prefix="/api/v1/api-keys", tags=["api keys"])


@router.get("", permission="apikey:list-all")
async def list_keys(query: Annotated[ApiKeyQuery, Query()]) -> PaginateResponse[ApiKeyOut]:
    """Everybody's keys, the newest first."""
    return await service.list_all(query)


@router.delete("/{key_id}", permission="apikey:revoke-all", status_code=204)
async def revoke_key(session: Session, key_id: str) -> None:
    """End anybody's key, on every worker within a second."""
    await service.revoke(session, key_id)

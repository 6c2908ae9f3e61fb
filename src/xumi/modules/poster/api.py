"""Endpoints of posters."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.query import PaginateRequest, PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.poster import service
from xumi.modules.poster.schemas import PosterCreate, PosterOut

router = get_router(prefix="/poster")


@router.post("/add", permission="poster:add", status_code=201, idempotent=True)
async def add_poster(session: Session, principal: CurrentPrincipal, body: PosterCreate) -> RowId:
    """Put up a poster; `data` is its id."""
    return await service.add(session, principal, body)


@router.get("/list", permission="poster:list")
async def list_posters(request: Annotated[PaginateRequest, Query()]) -> PaginateResponse[PosterOut]:
    """A page of posters, the newest first."""
    return await service.list_posters(request)

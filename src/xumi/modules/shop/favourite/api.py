"""One's own favourites."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.query import PaginateRequest, PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.shop.favourite import service
from xumi.modules.shop.favourite.schemas import FavouriteOut

router = get_router(prefix="/api/v1/favourites", tags=["favourites"])


@router.get("", permission="favourite:list")
async def list_favourites(
    principal: CurrentPrincipal, query: Annotated[PaginateRequest, Query()]
) -> PaginateResponse[FavouriteOut]:
    """A page of one's own favourites, the newest first; `on_sale` is false for what cannot be bought at present."""
    return await service.list_own(principal, query)


@router.put("/{product_id}", permission="favourite:update", status_code=204)
async def put_favourite(session: Session, principal: CurrentPrincipal, product_id: str) -> None:
    """Make a product on sale a favourite, 1000 at most."""
    await service.put(session, principal, product_id)


@router.delete("/{product_id}", permission="favourite:update", status_code=204)
async def remove_favourite(session: Session, principal: CurrentPrincipal, product_id: str) -> None:
    """Take a product away from the favourites."""
    await service.remove(session, principal, product_id)

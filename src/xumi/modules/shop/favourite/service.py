"""What can be done with favourites."""

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth.principal import Principal
from xumi.kernel.db.query import PaginateRequest, PaginateResponse, paginate_query
from xumi.kernel.db.read import primary
from xumi.kernel.errors import APICode, APIException
from xumi.modules.account.service.standing import lock_standing
from xumi.modules.shop.catalog import service as catalog
from xumi.modules.shop.catalog.service.offer import CARD
from xumi.modules.shop.favourite.constants import MAX_FAVOURITES
from xumi.modules.shop.favourite.errors import FavouriteCode
from xumi.modules.shop.favourite.models import Favourite
from xumi.modules.shop.favourite.schemas import FavouriteOut

_CARDS = CARD.join(Favourite, Favourite.product_id == CARD.selected_columns.id).add_columns(
    Favourite.product_id, Favourite.created_at
)


async def list_own(principal: Principal, query: PaginateRequest) -> PaginateResponse[FavouriteOut]:
    """The caller's favourites, the newest first, also those that are not on sale any more."""
    with primary():
        return await paginate_query(
            _CARDS.where(Favourite.user_id == principal.user_id),
            query,
            FavouriteOut,
            sortable=[Favourite.created_at],
            default_sort="-created_at",
            keyset=True,
        )


async def put(session: AsyncSession, principal: Principal, product_id: str) -> None:
    """Make a product one of the caller's favourites; doing it twice changes nothing.

    Raises:
        APIException: NOT_FOUND, there is no such product on sale; TOO_MANY_FAVOURITES; UNAUTHENTICATED, his account has just
            ended.
    """
    # Who changes his favourites takes turns, so that the limit holds.
    if await lock_standing(session, principal.user_id) is None:
        raise APIException(APICode.UNAUTHENTICATED)
    own = select(func.count()).select_from(Favourite).where(Favourite.user_id == principal.user_id)
    if await session.scalar(own.where(Favourite.product_id == product_id)):
        return
    card = (await catalog.find_products([product_id])).get(product_id)
    if card is None or not card.on_sale:
        raise APIException(APICode.NOT_FOUND)
    if (await session.scalar(own) or 0) >= MAX_FAVOURITES:
        raise APIException(FavouriteCode.TOO_MANY_FAVOURITES, limit=MAX_FAVOURITES)
    session.add(Favourite(user_id=principal.user_id, product_id=product_id))


async def remove(session: AsyncSession, principal: Principal, product_id: str) -> None:
    """Make a product none of the caller's favourites; doing it twice changes nothing."""
    await session.execute(
        delete(Favourite).where(Favourite.user_id == principal.user_id, Favourite.product_id == product_id)
    )

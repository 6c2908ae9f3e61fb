"""What can be done with posters."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth.principal import Principal
from xumi.kernel.db.query import PaginateRequest, PaginateResponse, paginate_query
from xumi.kernel.ids import generate_key
from xumi.modules.account.service import get_user
from xumi.modules.poster.models import Poster
from xumi.modules.poster.schemas import PosterCreate, PosterOut


async def add(session: AsyncSession, principal: Principal, data: PosterCreate) -> str:
    """Put up a poster under the caller's present name; returns its id."""
    author = await get_user(principal.user_id)
    poster = Poster(id=generate_key(), author_id=author.id, author=author.username, **data.model_dump())
    session.add(poster)
    return poster.id


async def list_posters(request: PaginateRequest) -> PaginateResponse[PosterOut]:
    """All posters, the newest first; sorted by `title` or `created_at` where asked."""
    sortable = {"id": Poster.id, "title": Poster.title, "created_at": Poster.created_at}
    return await paginate_query(select(Poster), request, PosterOut, sortable=sortable, default_sort="-id")

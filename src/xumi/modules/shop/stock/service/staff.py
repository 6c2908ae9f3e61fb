"""Stock as the staff keeps it."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import get_one
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.schema import SchemaBase
from xumi.modules.audit.service import record
from xumi.modules.shop.stock.models import Movement, Stock
from xumi.modules.shop.stock.schemas import Adjustment, MovementOut, MovementQuery, StockListed, StockQuery
from xumi.modules.shop.stock.service.ledger import adjust

_MARGIN = Stock.available - Stock.low_at
_LISTED = select(Stock.id.label("sku_id"), Stock.available, Stock.reserved, Stock.sold, Stock.low_at)
_SORTABLE = {
    "margin": _MARGIN,
    "available": Stock.available,
    "reserved": Stock.reserved,
    "sold": Stock.sold,
}


class _Id(SchemaBase):
    """A stock's."""

    id: str


async def list_stock(query: StockQuery) -> PaginateResponse[StockListed]:
    """The stocks that are wanted, the lowest first."""
    statement = _LISTED
    if query.sku_id is not None:
        statement = statement.where(Stock.id == query.sku_id)
    if query.low is not None:
        statement = statement.where(_MARGIN <= 0 if query.low else _MARGIN > 0)
    return await paginate_query(
        statement, query, StockListed, sortable=_SORTABLE, default_sort="margin", counts=("exact", "none")
    )


async def list_movements(sku_id: str, query: MovementQuery) -> PaginateResponse[MovementOut]:
    """The ledger of a SKU, the newest line first.

    Raises:
        APIException: NOT_FOUND.
    """
    await get_one(select(Stock.id).where(Stock.id == sku_id), _Id)
    statement = select(Movement).where(Movement.sku_id == sku_id)
    return await paginate_query(
        add_filters(statement, query, {Movement.kind: FilterTypeEnum.Equals}),
        query,
        MovementOut,
        sortable=[Movement.id],
        default_sort="-id",
        keyset=True,
    )


async def adjust_stock(session: AsyncSession, sku_id: str, data: Adjustment) -> int:
    """Change how many pieces are available, and say why; returns how many there are now.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED (`change`), it is 0 or takes more away than are available.
    """
    if data.change == 0:
        raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError("change", "must not be 0")])
    available = await adjust(session, sku_id, data.change, data.reason)
    before, after = {"available": available - data.change}, {"available": available, "reason": data.reason}
    record(session, "stock.adjusted", f"stock:{sku_id}", before, after)
    return available

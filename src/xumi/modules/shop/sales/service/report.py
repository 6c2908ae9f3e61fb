"""Reading the figures."""

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import bindparam, func, select

from xumi.kernel import clock
from xumi.kernel.db.read import fetch_all
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.schema import SchemaBase
from xumi.modules.shop.catalog import service as catalog
from xumi.modules.shop.sales.constants import DEFAULT_DAYS, MAX_DAYS
from xumi.modules.shop.sales.models import DailyProduct, DailySales
from xumi.modules.shop.sales.schemas import BestSellerOut, DailySalesOut
from xumi.modules.shop.sales.service.rollup import day_of

_DAYS = (
    select(DailySales)
    .where(DailySales.day.between(bindparam("first"), bindparam("last")))
    .order_by(DailySales.day)
)
_QUANTITY = func.sum(DailyProduct.quantity - DailyProduct.returned)
_FEN = func.sum(DailyProduct.fen - DailyProduct.returned_fen)
_SELLERS = (
    select(DailyProduct.product_id, _QUANTITY.label("quantity"), _FEN.label("fen"))
    .where(DailyProduct.day.between(bindparam("first"), bindparam("last")))
    .group_by(DailyProduct.product_id)
    .having(_QUANTITY > 0)
    .order_by(_QUANTITY.desc(), _FEN.desc(), DailyProduct.product_id)
    .limit(bindparam("limit"))
)


class _Seller(SchemaBase):
    product_id: str
    quantity: int
    fen: int


async def list_days(first: date | None, last: date | None) -> Sequence[DailySalesOut]:
    """The figures of each day, the oldest first; days on which nothing happened are there with zeros.

    Args:
        first, last: both are included; by default the last 30 days until today.

    Raises:
        APIException: VALIDATION_FAILED, the last day is before the first, or there are more than 366.
    """
    first, last = _range(first, last)
    found = {row.day: row for row in await fetch_all(_DAYS, DailySalesOut, {"first": first, "last": last})}
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [found.get(day) or DailySalesOut(day=day) for day in days]


async def list_best_sellers(first: date | None, last: date | None, limit: int) -> Sequence[BestSellerOut]:
    """The products of which most was sold, without what was taken back; arguments and errors as for `list_days`."""
    first, last = _range(first, last)
    rows = await fetch_all(_SELLERS, _Seller, {"first": first, "last": last, "limit": limit})
    cards = await catalog.find_products(row.product_id for row in rows)
    return [
        BestSellerOut(
            product_id=row.product_id,
            name=cards[row.product_id].name,
            picture=cards[row.product_id].picture,
            quantity=row.quantity,
            fen=row.fen,
        )
        for row in rows
    ]


def _range(first: date | None, last: date | None) -> tuple[date, date]:
    last = last or day_of(clock.now())
    try:
        first = first or last - timedelta(days=DEFAULT_DAYS - 1)
    except OverflowError:
        raise _refuse("to", "is too early") from None
    if last < first:
        raise _refuse("to", "must not be before `from`")
    if (last - first).days >= MAX_DAYS:
        raise _refuse("from", f"must be at most {MAX_DAYS - 1} days before `to`")
    return first, last


def _refuse(field: str, reason: str) -> APIException:
    return APIException(APICode.VALIDATION_FAILED, errors=[FieldError(field, reason)])

"""Figures of sales, for the staff."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import Query

from xumi.kernel.http.router import get_router
from xumi.modules.shop.sales.constants import MAX_BEST_SELLERS
from xumi.modules.shop.sales.schemas import BestSellerOut, DailySalesOut
from xumi.modules.shop.sales.service import report

router = get_router(prefix="/api/v1/shop/sales", tags=["shop-sales"])

First = Annotated[
    date | None,
    Query(
        alias="from", description="The first day; by default 29 days before `to`.", examples=["2026-11-01"]
    ),
]
Last = Annotated[
    date | None, Query(alias="to", description="The last day; by default today.", examples=["2026-11-21"])
]
Limit = Annotated[int, Query(ge=1, le=MAX_BEST_SELLERS, description="How many products are wanted.")]


@router.get("/daily", permission="sales:read")
async def list_daily_sales(first: First = None, last: Last = None) -> Sequence[DailySalesOut]:
    """What happened on each day in China, at most 366 of them, also on those without sales."""
    return await report.list_days(first, last)


@router.get("/best-sellers", permission="sales:read")
async def list_best_sellers(
    first: First = None, last: Last = None, limit: Limit = 10
) -> Sequence[BestSellerOut]:
    """The products of which most pieces were sold, without those of orders that were cancelled."""
    return await report.list_best_sellers(first, last, limit)

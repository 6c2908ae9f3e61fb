"""Products, for customers."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.http.router import get_router
from xumi.modules.shop.catalog.schemas.product import ProductDetail, ProductListed, ProductQuery, RecentQuery
from xumi.modules.shop.catalog.service import detail, listing

router = get_router(prefix="/api/v1/products", tags=["products"])


@router.get("", public=True)
async def list_products(query: Annotated[ProductQuery, Query()]) -> PaginateResponse[ProductListed]:
    """A page of the products on sale, the newest first."""
    return await listing.list_products(query)


@router.get("/recent", public=True)
async def list_recent_products(query: Annotated[RecentQuery, Query()]) -> list[ProductListed]:
    """The products that were put on sale last."""
    return await listing.list_recent(query)


@router.get("/{product_id}", public=True)
async def get_product(product_id: str) -> ProductDetail:
    """A product on sale with its SKUs and what is left of each."""
    return await detail.read_detail(product_id)

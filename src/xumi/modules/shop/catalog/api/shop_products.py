"""Products, for the staff."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.shop.catalog.enums import ProductState
from xumi.modules.shop.catalog.schemas.product import (
    PictureOrder,
    ProductChange,
    ProductCreate,
    ProductStateChange,
    ShopProductListed,
    ShopProductQuery,
    ShopProductWithSkus,
)
from xumi.modules.shop.catalog.schemas.sku import SkuCreate, SkuOut
from xumi.modules.shop.catalog.service import product, sku

router = get_router(prefix="/api/v1/shop/products", tags=["shop-products"])


@router.get("", permission="product:list")
async def list_shop_products(
    query: Annotated[ShopProductQuery, Query()],
) -> PaginateResponse[ShopProductListed]:
    """A page of products in whichever state, the newest first, or all that match as a file."""
    return await product.list_products(query)


@router.post("", permission="product:create", status_code=201)
async def create_product(session: Session, body: ProductCreate) -> RowId:
    """Make a product with its SKUs, as a draft; `data` is its id."""
    return await product.create(session, body)


@router.get("/{product_id}", permission="product:read")
async def get_shop_product(product_id: str) -> ShopProductWithSkus:
    """One product with all its SKUs and their stock."""
    return await product.get_product(product_id)


@router.patch("/{product_id}", permission="product:update", status_code=204)
async def update_product(session: Session, product_id: str, body: ProductChange) -> None:
    """Set some of a product; what is left out stays."""
    await product.change(session, product_id, body)


@router.delete("/{product_id}", permission="product:delete", status_code=204)
async def delete_product(session: Session, product_id: str) -> None:
    """Delete a product that was never sold, with its SKUs; themes, carts and favourites lose it."""
    await product.remove(session, product_id)


@router.put("/{product_id}/state", permission="product:set-state", status_code=204)
async def set_product_state(session: Session, product_id: str, body: ProductStateChange) -> None:
    """Put a product on sale, or off it."""
    await product.set_state(session, product_id, ProductState(body.state))


@router.put("/{product_id}/pictures", permission="product:update", status_code=204)
async def reorder_pictures(session: Session, product_id: str, body: PictureOrder) -> None:
    """Give a product's pictures another order; each is sent once."""
    await product.reorder_pictures(session, product_id, body.pictures)


@router.get("/{product_id}/skus", permission="product:read")
async def list_skus(product_id: str) -> list[SkuOut]:
    """The SKUs of a product with their stock, also those that are disabled."""
    return await sku.list_skus(product_id)


@router.post("/{product_id}/skus", permission="product:update", status_code=201)
async def create_sku(session: Session, product_id: str, body: SkuCreate) -> RowId:
    """Add a SKU to a product, with its stock; `data` is its id."""
    return await sku.add(session, product_id, body)

"""SKUs, for the staff."""

from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.shop.catalog.schemas.sku import SkuChange
from xumi.modules.shop.catalog.service import sku

router = get_router(prefix="/api/v1/shop/skus", tags=["shop-products"])


@router.patch("/{sku_id}", permission="product:update", status_code=204)
async def update_sku(session: Session, sku_id: str, body: SkuChange) -> None:
    """Set some of a SKU; what is left out stays. Orders that were placed keep their prices."""
    await sku.change(session, sku_id, body)


@router.delete("/{sku_id}", permission="product:delete", status_code=204)
async def delete_sku(session: Session, sku_id: str) -> None:
    """Delete a SKU that was never sold, with its stock; carts lose it."""
    await sku.remove(session, sku_id)

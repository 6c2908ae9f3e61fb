"""One's own cart."""

from typing import Any

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.shop.cart import service
from xumi.modules.shop.cart.schemas import (
    CART_EXAMPLE,
    REPORT_EXAMPLE,
    CartLineInput,
    CartMerge,
    CartView,
    MergeReport,
)

router = get_router(prefix="/api/v1/cart", tags=["cart"])


def _example(description: str, data: object) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, "content": {"application/json": {"example": data}}}}


@router.get("", permission="cart:read", responses=_example("The cart.", CART_EXAMPLE))
async def get_cart(principal: CurrentPrincipal) -> CartView:
    """One's own cart, with the present prices and what is left."""
    return await service.read(principal)


@router.put("/lines/{sku_id}", permission="cart:update", status_code=204)
async def put_cart_line(
    session: Session, principal: CurrentPrincipal, sku_id: str, body: CartLineInput
) -> None:
    """Have so many pieces of a SKU in the cart, whether it was there or not. A cart has 100 lines at most."""
    await service.put(session, principal, sku_id, body)


@router.delete("/lines/{sku_id}", permission="cart:update", status_code=204)
async def remove_cart_line(session: Session, principal: CurrentPrincipal, sku_id: str) -> None:
    """Take a SKU out of the cart."""
    await service.remove(session, principal, sku_id)


@router.delete("", permission="cart:update", status_code=204)
async def clear_cart(session: Session, principal: CurrentPrincipal) -> None:
    """Empty the cart."""
    await service.clear(session, principal)


@router.post(
    "/merge", permission="cart:update", responses=_example("What was not taken over.", REPORT_EXAMPLE)
)
async def merge_cart(session: Session, principal: CurrentPrincipal, body: CartMerge) -> MergeReport:
    """Take over the cart of a guest who has signed in: of each SKU the larger quantity counts, also when this is repeated."""
    return await service.merge(session, principal, body)

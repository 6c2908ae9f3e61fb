"""Customers, and what they can put into their carts."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.modules.account.conftest import cheap_passwords, chief, connect, settings, sign_in, sign_up
from tests.modules.shop.catalog.conftest import category, make, send

__all__ = ["category", "cheap_passwords", "chief", "connect", "make", "settings", "sign_in", "sign_up"]

Shelf = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def shelf(admin: httpx.AsyncClient, make: Callable[..., Awaitable[str]]) -> Shelf:
    """Makes a product on sale with so many SKUs for 10.00 each, of which there are five pieces; returns the ids of the SKUs."""

    async def shelf(count: int = 1) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            number = min(50, count - len(found))
            name = f"shelf-{await _count(admin)}"
            skus = [
                {"code": f"{name}-{at}", "options": {"Size": str(at)}, "price_fen": 1000, "stock": 5}
                for at in range(number)
            ]
            product = await make(code=name, skus=skus)
            read = await send(admin, "GET", f"/shop/products/{product}/skus")
            found += [sku["id"] for sku in (read["items"] if isinstance(read, dict) else read)]
        return found

    return shelf


async def _count(admin: httpx.AsyncClient) -> int:
    total: int = (await send(admin, "GET", "/shop/products?size=1"))["total"]
    return total

"""What tests of the catalogue begin with."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

Make = Callable[..., Awaitable[str]]

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For rules that no database has a say in."""


async def send(
    client: httpx.AsyncClient, method: str, path: str, body: object = None, status: int = 200
) -> Any:
    """The `data` of an answer that has this status."""
    response = await client.request(method, f"/api/v1{path}", json=body)
    assert response.status_code == status, response.text
    return response.json()["data"] if response.content else None


ALL = pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
"""For what each database writes in its own way."""


@pytest.fixture
async def category(admin: httpx.AsyncClient) -> str:
    """The id of a category."""
    made: str = await send(admin, "POST", "/shop/categories", {"name": "Tea"}, 201)
    return made


@pytest.fixture
def make(admin: httpx.AsyncClient, category: str) -> Make:
    """Makes a product with one SKU, on sale; returns its id."""
    count = 0

    async def make(*, on_sale: bool = True, **values: object) -> str:
        nonlocal count
        count += 1
        sku = {"code": f"cup-{count}-a", "price_fen": 1000 + count, "stock": 5}
        body = {"code": f"cup-{count}", "name": f"Cup {count}", "category_id": category, "skus": [sku]}
        made: str = await send(admin, "POST", "/shop/products", body | values, 201)
        if on_sale:
            await send(admin, "PUT", f"/shop/products/{made}/state", {"state": "on_sale"}, 204)
        return made

    return make

"""What tests of payments begin with: a shop, a customer with an address, and orders that wait for their money."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.modules.shop.order.conftest import Shop, address, shop
from xumi.api import Application
from xumi.kernel.events.relay import Relay

__all__ = ["address", "shop"]

Place = Callable[..., Awaitable[str]]


@pytest.fixture
def place(shop: Shop, user: httpx.AsyncClient, address: str) -> Place:
    """Places an order of two cups, for 2900 fen with freight; returns its number."""

    async def place(pieces: int = 2) -> str:
        sku = await shop.make_sku(5, 1000)
        line = {"sku_id": sku, "quantity": pieces, "price_fen": 1000}
        answer = await user.post("/api/v1/orders", json={"address_id": address, "lines": [line]})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["number"])

    return place


@pytest.fixture
def deliver(app: Application) -> Callable[[], Awaitable[None]]:
    """Hands the events of this moment to their consumers."""

    async def deliver() -> None:
        relay = Relay(app.resources)
        with app.resources.context("relay"):
            while await relay.step() == 0:
                pass

    return deliver

"""What tests of orders begin with: a customer with an address, and SKUs to buy."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from xumi.api import Application
from xumi.kernel.db.read import fetch_value, get_one
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.schema import SchemaBase
from xumi.modules.account.models import User
from xumi.modules.shop.address.models import Address
from xumi.modules.shop.stock.models import Stock


class _Stock(SchemaBase):
    available: int
    reserved: int
    sold: int


@dataclass
class Shop:
    """A shop with SKUs, and how a customer speaks to it."""

    app: Application
    admin: httpx.AsyncClient
    category: str
    template: str
    made: int = 0

    async def make_sku(self, stock: int = 5, price_fen: int = 1000, **product: object) -> str:
        """Put a product with one SKU on sale; returns the SKU's id."""
        self.made += 1
        body = {
            "code": f"p{self.made}",
            "name": f"Cup {self.made}",
            "category_id": self.category,
            "freight_template_id": self.template,
            "skus": [{"code": f"s{self.made}", "price_fen": price_fen, "stock": stock}],
        } | product
        answer = await self.admin.post("/api/v1/shop/products", json=body)
        assert answer.status_code == 201, answer.text
        product_id = answer.json()["data"]
        path = f"/api/v1/shop/products/{product_id}"
        assert (await self.admin.put(f"{path}/state", json={"state": "on_sale"})).status_code == 204
        found = (await self.admin.get(f"{path}/skus")).json()["data"]
        return str(found[0]["id"])

    async def stock_of(self, sku_id: str) -> tuple[int, int, int]:
        """Available, reserved and sold pieces."""
        with self.app.resources.context("test"):
            row = await get_one(select(Stock).where(Stock.id == sku_id), _Stock)
        return row.available, row.reserved, row.sold

    async def run(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """Do something in a transaction, as a job would."""
        with self.app.resources.context("test"):
            async with unit_of_work() as unit:
                return await work(unit.session)

    async def value(self, statement: Any) -> Any:
        """One value of the database."""
        with self.app.resources.context("test"):
            return await fetch_value(statement)


@pytest.fixture
async def shop(app: Application, admin: httpx.AsyncClient) -> Shop:
    """A shop with nothing on sale yet; freight is 800 fen, and 100 for each further piece."""
    category = (await admin.post("/api/v1/shop/categories", json={"name": "Tea"})).json()["data"]
    rule = {"provinces": [], "first": 1, "first_fen": 800, "step": 1, "step_fen": 100}
    body = {"name": "usual", "unit": "piece", "rules": [rule]}
    answer = await admin.post("/api/v1/shop/freight-templates", json=body)
    assert answer.status_code == 201, answer.text
    return Shop(app, admin, category, answer.json()["data"])


@pytest.fixture
async def address(app: Application, user: httpx.AsyncClient) -> str:
    """An address of the user's."""
    with app.resources.context("test"):
        async with unit_of_work() as unit:
            place = {"province": "浙江省", "city": "杭州市", "district": "西湖区", "detail": "1 Bamboo Lane"}
            user_id = await unit.session.scalar(select(User.id).where(User.username == "somebody"))
            row = Address(user_id=user_id, name="Li", mobile="13800000000", main=True, **place)
            unit.session.add(row)
            await unit.session.flush()
            return row.id

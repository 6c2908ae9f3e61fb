"""Makes orders and what belongs to them, the owner's."""

from typing import Any

from sqlalchemy import update

from tests.security import shop_catalog
from tests.security.world import Call, World
from xumi.kernel import clock
from xumi.kernel.db.session import unit_of_work
from xumi.modules.shop.order.enums import OrderState
from xumi.modules.shop.order.models import Order

PRICE_FEN = 100
ADDRESS = {
    "name": "Li Lei",
    "mobile": "13800000000",
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "detail": "1 Bamboo Lane",
}


async def make_address(world: World) -> str:
    """An address of the owner's."""
    return str(await world.make("/api/v1/addresses", ADDRESS, "owner"))


async def make_sku(world: World) -> str:
    """A SKU of which there are plenty."""
    code = f"plenty-{shop_catalog.next_number()}"
    sku = {"code": code, "price_fen": PRICE_FEN, "stock": 1000}
    body = {"code": code, "name": code, "category_id": await shop_catalog.make_category(world)}
    path = f"/api/v1/shop/products/{await world.make('/api/v1/shop/products', body | {'skus': [sku]})}"
    await world.put(f"{path}/state", {"state": "on_sale"})
    return str((await world.send(Call("GET", f"{path}/skus", {}, {}), "admin")).json()["data"][0]["id"])


async def make_order(world: World) -> str:
    """An unpaid order of the owner's; returns its number."""
    line = {"sku_id": await make_sku(world), "quantity": 1, "price_fen": PRICE_FEN}
    body = {"address_id": await make_address(world), "lines": [line]}
    made: Any = await world.make("/api/v1/orders", body, "owner")
    return str(made["number"])


async def make_shipped_order(world: World) -> str:
    """An order of the owner's that is on its way."""
    number = await make_order(world)
    change = update(Order).where(Order.number == number)
    with world.app.resources.context("test"):
        async with unit_of_work() as unit:
            await unit.session.execute(change.values(state=OrderState.SHIPPED, shipped_at=clock.now()))
    return number

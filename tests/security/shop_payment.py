"""Makes orders that the staff handles."""

from tests.conftest import PASSWORD
from tests.security import shop_catalog
from tests.security.shop_order import PRICE_FEN, make_order
from tests.security.world import Call, World

SHIPPED = "/api/v1/shop/orders/{number}/ship"


async def make_paid_order(world: World) -> str:
    """An order of the owner's whose money is there."""
    number = await make_order(world)
    body = {"reference": number, "amount_fen": PRICE_FEN}
    await world.make(f"/api/v1/shop/orders/{number}/pay-offline", body)
    return number


async def find_ordered_sku(world: World) -> str:
    """What is in the order that is shipped."""
    path = f"/api/v1/shop/orders/{world.ids[SHIPPED]}"
    order = (await world.send(Call("GET", path, {}, {}), "admin")).json()["data"]
    return str(order["lines"][0]["sku_id"])


async def make_account(world: World) -> str:
    """A user who has ordered nothing; a customer with orders cannot be deleted."""
    name = f"made-{shop_catalog.next_number()}"
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "roles": ["user"]}
    made = await world.make("/api/v1/users", body)
    return str(made["id"] if isinstance(made, dict) else made)

"""Makes what the catalogue and freight are about. The staff's objects belong to nobody."""

from itertools import count

from tests.security.world import Call, World

_number = count()


def next_number() -> int:
    """A number that no other object of this run has."""
    return next(_number)


async def make_freight_template(world: World) -> str:
    """A freight template that no product names."""
    rule = {"provinces": [], "first": 1, "first_fen": 800, "step": 1, "step_fen": 200}
    body = {"name": f"template-{next(_number)}", "unit": "piece", "rules": [rule]}
    return str(await world.make("/api/v1/shop/freight-templates", body))


async def make_category(world: World) -> str:
    """A category without products."""
    return str(await world.make("/api/v1/shop/categories", {"name": f"category-{next(_number)}"}))


async def make_product(world: World) -> str:
    """A product on sale, with two SKUs."""
    code = f"product-{next(_number)}"
    skus = [{"code": f"{code}-{size}", "options": {"Size": size}, "price_fen": 100} for size in ("S", "L")]
    body = {"code": code, "name": code, "category_id": await make_category(world), "skus": skus}
    made = str(await world.make("/api/v1/shop/products", body | {"pictures": ["/files/bamboo-cup.webp"]}))
    await world.put(f"/api/v1/shop/products/{made}/state", {"state": "on_sale"})
    return made


async def make_sku(world: World) -> str:
    """One of a product's SKUs."""
    path = f"/api/v1/shop/products/{await make_product(world)}/skus"
    return str((await world.send(Call("GET", path, {}, {}), "admin")).json()["data"][0]["id"])


async def make_theme(world: World) -> str:
    """A theme that no banner leads to."""
    pictures = {"topic_picture": "/t.webp", "head_picture": "/h.webp"}
    return str(await world.make("/api/v1/shop/themes", {"name": f"theme-{next(_number)}"} | pictures))


async def make_banner(world: World) -> str:
    """A banner."""
    code = f"banner-{next(_number)}"
    return str(await world.make("/api/v1/shop/banners", {"code": code, "name": code}))


async def make_banner_code(world: World) -> str:
    """What customers ask for a banner by."""
    path = f"/api/v1/shop/banners/{await make_banner(world)}"
    return str((await world.send(Call("GET", path, {}, {}), "admin")).json()["data"]["code"])

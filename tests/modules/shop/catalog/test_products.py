"""Products: as the staff keeps them, and as customers see them."""

import httpx
from sqlalchemy import func, select, update

from tests.modules.shop.catalog.conftest import ALL, ONE, Make, send
from xumi.api import Application, create_app
from xumi.kernel import clock
from xumi.kernel.config import Settings
from xumi.kernel.db.read import fetch_all, fetch_value
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.schema import SchemaBase
from xumi.kernel.testing.client import running
from xumi.modules.shop.catalog import service as catalog
from xumi.modules.shop.catalog.models import Sku
from xumi.modules.shop.stock.enums import MovementKind
from xumi.modules.shop.stock.models import Movement, Stock


class SkuRow(SchemaBase):
    """Which SKU has which code."""

    id: str
    code: str


@ALL
async def test_customer_sees_a_product_with_its_skus(
    client: httpx.AsyncClient, make: Make, category: str
) -> None:
    skus = [
        {
            "code": "b",
            "options": {"颜色": "红"},
            "price_fen": 2900,
            "order": 2,
            "stock": 7,
            "weight_grams": 5,
        },
        {"code": "a", "options": {"颜色": "蓝"}, "price_fen": 2500, "list_price_fen": 3000, "order": 1},
        {"code": "c", "options": {"颜色": "无"}, "price_fen": 1, "enabled": False},
    ]
    made = await make(
        pictures=["/files/1.webp", "https://example.com/2.webp"],
        properties=[{"name": "Material", "value": "Bamboo"}],
        description="<p onclick='x()'>Grown in <b>Anji</b><script>alert(1)</script></p>",
        subtitle="From Anji",
        limit_per_user=2,
        skus=skus,
    )
    found = await send(client, "GET", f"/products/{made}")
    ids = [sku.pop("id") for sku in found["skus"]]
    assert len(set(ids)) == 2
    assert found.pop("on_sale_at").endswith("Z")
    shown = {"list_price_fen": None, "weight_grams": 0, "picture": None, "available": 0}
    assert found == {
        "id": made,
        "code": "cup-1",
        "name": "Cup 1",
        "subtitle": "From Anji",
        "category_id": category,
        "pictures": ["/files/1.webp", "https://example.com/2.webp"],
        "properties": [{"name": "Material", "value": "Bamboo"}],
        "description": "<p>Grown in <b>Anji</b></p>",
        "price_fen": 2500,
        "limit_per_user": 2,
        "skus": [
            shown
            | {"code": "a", "options": {"颜色": "蓝"}, "price_fen": 2500, "list_price_fen": 3000, "order": 1},
            shown
            | {
                "code": "b",
                "options": {"颜色": "红"},
                "price_fen": 2900,
                "order": 2,
                "weight_grams": 5,
                "available": 7,
            },
        ],
    }


async def test_drafts_and_products_off_sale_are_not_shown(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, make: Make
) -> None:
    draft, off, shown = await make(on_sale=False), await make(), await make()
    await send(admin, "PUT", f"/shop/products/{off}/state", {"state": "off"}, 204)
    for hidden in (draft, off, "nothing"):
        await send(client, "GET", f"/products/{hidden}", status=404)
    page = await send(client, "GET", "/products")
    assert [item["id"] for item in page["items"]] == [shown]
    assert [item["id"] for item in await send(client, "GET", "/products/recent?limit=5")] == [shown]


@ALL
async def test_list_is_filtered_and_sorted(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, make: Make, category: str
) -> None:
    below = await send(admin, "POST", "/shop/categories", {"name": "Green tea", "parent_id": category}, 201)
    other = await send(admin, "POST", "/shop/categories", {"name": "Cups"}, 201)
    dear = await make(category_id=below, skus=[{"code": "dear", "price_fen": 9900}], pictures=["/1.webp"])
    cheap = await make(skus=[{"code": "cheap", "price_fen": 100}])
    third = await make(category_id=other, skus=[{"code": "third", "price_fen": 500}])

    async def ids(query: str) -> list[str]:
        return [item["id"] for item in (await send(client, "GET", f"/products?{query}"))["items"]]

    assert await ids("") == [third, cheap, dear]
    assert await ids("sort=price_fen") == [cheap, third, dear]
    assert await ids("sort=-price_fen&size=1&page=2") == [third]
    assert await ids(f"category_id={category}") == [cheap, dear]
    assert await ids(f"category_id={below}") == [dear]
    assert await ids("category_id=nothing") == []
    assert await ids("min_price_fen=100&max_price_fen=500&sort=price_fen") == [cheap, third]
    page = await send(client, "GET", f"/products?category_id={below}")
    assert page["total"] == 1
    assert page["items"] == [
        {
            "id": dear,
            "name": "Cup 1",
            "subtitle": None,
            "picture": "/1.webp",
            "price_fen": 9900,
            "category_id": below,
        }
    ]
    for wrong in ("sort=state", "export=csv", "count=exact", "after=x"):
        await send(client, "GET", f"/products?{wrong}", status=422)


async def test_price_follows_the_enabled_skus(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, make: Make
) -> None:
    made = await make(skus=[{"code": "a", "price_fen": 900}])
    body = {"code": "b", "options": {"Size": "S"}, "price_fen": 700, "stock": 3}
    small = await send(admin, "POST", f"/shop/products/{made}/skus", body, 201)

    async def price() -> int:
        price_fen: int = (await send(client, "GET", f"/products/{made}"))["price_fen"]
        assert price_fen == (await send(client, "GET", "/products"))["items"][0]["price_fen"]
        return price_fen

    assert [sku["code"] for sku in (await send(client, "GET", f"/products/{made}"))["skus"]] == ["a", "b"]
    assert await price() == 700
    await send(admin, "PATCH", f"/shop/skus/{small}", {"price_fen": 1200, "list_price_fen": 1300}, 204)
    assert await price() == 900
    await send(admin, "PATCH", f"/shop/skus/{small}", {"price_fen": 500, "enabled": False}, 204)
    assert await price() == 900
    await send(admin, "PATCH", f"/shop/skus/{small}", {"enabled": True, "list_price_fen": None}, 204)
    assert await price() == 500
    await send(admin, "DELETE", f"/shop/skus/{small}", None, 204)
    assert await price() == 900


@ONE
async def test_what_is_on_sale_has_something_to_sell(admin: httpx.AsyncClient, make: Make) -> None:
    empty = await make(on_sale=False, skus=[])
    answer = await send(admin, "PUT", f"/shop/products/{empty}/state", {"state": "on_sale"}, 409)
    assert answer is None
    made = await make()
    (sku,) = await send(admin, "GET", f"/shop/products/{made}/skus")
    assert (await send(admin, "PATCH", f"/shop/skus/{sku['id']}", {"enabled": False}, 409)) is None
    assert (await send(admin, "DELETE", f"/shop/skus/{sku['id']}", None, 409)) is None
    await send(admin, "PUT", f"/shop/products/{made}/state", {"state": "off"}, 204)
    await send(admin, "PUT", f"/shop/products/{made}/state", {"state": "off"}, 204)
    await send(admin, "PATCH", f"/shop/skus/{sku['id']}", {"enabled": False}, 204)
    await send(admin, "PUT", f"/shop/products/{made}/state", {"state": "on_sale"}, 409)
    await send(admin, "PUT", f"/shop/products/{made}/state", {"state": "draft"}, 422)
    assert (await send(admin, "GET", f"/shop/products/{made}"))["price_fen"] == 0


@ONE
async def test_codes_and_options_are_unique(admin: httpx.AsyncClient, make: Make, category: str) -> None:
    made = await make(skus=[{"code": "a", "options": {"Colour": "red", "Size": "M"}, "price_fen": 1}])
    path = f"/shop/products/{made}/skus"
    same = {"code": "b", "options": {"Size": "M", "Colour": "red"}, "price_fen": 1}
    response = await admin.post(f"/api/v1{path}", json=same)
    assert (response.status_code, response.json()["code"]) == (409, 40989)
    other = {"code": "a", "options": {"Size": "L", "Colour": "red"}, "price_fen": 1}
    response = await admin.post(f"/api/v1{path}", json=other)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (409, "code")
    second = await send(admin, "POST", path, other | {"code": "b"}, 201)
    await send(admin, "PATCH", f"/shop/skus/{second}", {"options": same["options"]}, 409)
    await send(admin, "PATCH", f"/shop/skus/{second}", {"code": "a"}, 409)
    body = {"code": "cup-1", "name": "Cup", "category_id": category}
    await send(admin, "POST", "/shop/products", body, 409)
    twice = [{"code": "x", "price_fen": 1}, {"code": "y", "price_fen": 1}]
    await send(admin, "POST", "/shop/products", body | {"code": "new", "skus": twice}, 409)


WRONG_VALUES: list[tuple[str, dict[str, object]]] = [
    ("category_id", {"category_id": "nothing"}),
    ("freight_template_id", {"freight_template_id": "nothing"}),
    ("pictures.0", {"pictures": ["javascript:alert(1)"]}),
    ("pictures.0", {"pictures": ["//evil.example/1.webp"]}),
    ("pictures.0", {"pictures": ["ftp://example.com/1.webp"]}),
    ("pictures.0", {"pictures": ["https://user@example.com/1.webp"]}),
    ("pictures.0", {"pictures": ['/1.webp" onerror="x']}),
    ("pictures", {"pictures": ["/1.webp"] * 21}),
    ("code", {"code": "with space"}),
    ("name", {"name": "two\nlines"}),
    ("limit_per_user", {"limit_per_user": 0}),
    ("skus.0.price_fen", {"skus": [{"code": "a", "price_fen": 0}]}),
    ("skus.0.list_price_fen", {"skus": [{"code": "a", "price_fen": 2, "list_price_fen": 1}]}),
    ("skus.0.stock", {"skus": [{"code": "a", "price_fen": 2, "stock": -1}]}),
    ("description", {"description": "<" * 20_000}),
    ("description", {"description": "x" * 20_001}),
    ("price_fen", {"price_fen": 1}),
]


@ONE
async def test_wrong_values_are_named(admin: httpx.AsyncClient, category: str) -> None:
    for field, values in WRONG_VALUES:
        body = {"code": "cup", "name": "Cup", "category_id": category} | values
        response = await admin.post("/api/v1/shop/products", json=body)
        assert response.status_code == 422, response.text
        assert response.json()["errors"][0]["field"] == field


async def test_product_is_changed(admin: httpx.AsyncClient, make: Make) -> None:
    made = await make(pictures=["/1.webp", "/2.webp"], subtitle="Old", limit_per_user=3)
    change = {
        "name": "Renamed",
        "subtitle": None,
        "limit_per_user": None,
        "description": "<a href='javascript:x'>a</a><img src=x onerror=y><p style='x'>",
        "properties": [{"name": "Size", "value": "L"}],
    }
    await send(admin, "PATCH", f"/shop/products/{made}", change, 204)
    await send(admin, "PATCH", f"/shop/products/{made}", {"name": None}, 204)
    await send(admin, "PUT", f"/shop/products/{made}/pictures", {"pictures": ["/2.webp", "/1.webp"]}, 204)
    await send(admin, "PUT", f"/shop/products/{made}/pictures", {"pictures": ["/2.webp"]}, 409)
    found = await send(admin, "GET", f"/shop/products/{made}")
    assert (found["name"], found["subtitle"], found["limit_per_user"]) == ("Renamed", None, None)
    assert found["properties"] == [{"name": "Size", "value": "L"}]
    assert found["pictures"] == ["/2.webp", "/1.webp"]
    assert found["description"] == '<a rel="noopener noreferrer nofollow">a</a><img src="x"><p></p>'
    (sku,) = found["skus"]
    assert (sku["available"], sku["reserved"], sku["sold"]) == (5, 0, 0)
    page = await send(admin, "GET", "/shop/products?name=rename&state=on_sale&code=CUP")
    assert [item["id"] for item in page["items"]] == [made]
    assert page["items"][0]["picture"] == "/2.webp"
    await send(admin, "PATCH", "/shop/products/nothing", {"name": "x"}, 404)
    for path in ("/shop/products/nothing", "/shop/products/nothing/skus"):
        await send(admin, "GET", path, status=404)
    for method in ("PATCH", "DELETE"):
        await send(admin, method, "/shop/skus/nothing", {} if method == "PATCH" else None, 404)


@ALL
async def test_only_what_was_never_sold_is_deleted(
    app: Application, admin: httpx.AsyncClient, make: Make
) -> None:
    made, sold, led_to = await make(), await make(), await make()
    await send(admin, "DELETE", f"/shop/products/{made}", None, 204)
    await send(admin, "GET", f"/shop/products/{made}", status=404)
    (sku,) = await send(admin, "GET", f"/shop/products/{sold}/skus")
    with app.resources.context("test"):
        async with unit_of_work() as work:
            movement = {"available": -1, "reserved": 1, "sold": 0}
            work.session.add(Movement(sku_id=sku["id"], kind=MovementKind.RESERVED, **movement))
        assert await fetch_value(select(func.count()).select_from(Stock)) == 2
    response = await admin.delete(f"/api/v1/shop/products/{sold}")
    assert (response.status_code, response.json()["code"]) == (409, 40987)
    banner = await send(admin, "POST", "/shop/banners", {"code": "home", "name": "Home"}, 201)
    items = [{"picture": "/1.webp", "target": "product", "target_id": led_to}]
    await send(admin, "PUT", f"/shop/banners/{banner}/items", {"items": items}, 204)
    await send(admin, "DELETE", f"/shop/products/{led_to}", None, 409)


@ALL
async def test_offers_say_what_carts_need(app: Application, make: Make) -> None:
    shown = await make(
        pictures=["/1.webp"], limit_per_user=2, skus=[{"code": "a", "price_fen": 5, "weight_grams": 7}]
    )
    draft = await make(
        on_sale=False, skus=[{"code": "b", "price_fen": 6, "picture": "/b.webp", "options": {"x": "y"}}]
    )
    with app.resources.context("test"):
        ids = {row.code: row.id for row in await fetch_all(select(Sku), SkuRow)}
        offers = await catalog.find_offers([*ids.values(), "nothing"])
        cards = await catalog.find_products([shown, draft, "nothing"])
        assert await catalog.find_offers([]) == {}
        assert await catalog.find_products([]) == {}
    common = {"freight_template_id": None}
    first = catalog.Offer(
        sku_id=ids["a"], product_id=shown, code="a", name="Cup 1", options={}, picture="/1.webp", price_fen=5,
        weight_grams=7, limit_per_user=2, on_sale=True, **common,
    )  # fmt: skip
    second = catalog.Offer(
        sku_id=ids["b"], product_id=draft, code="b", name="Cup 2", options={"x": "y"}, picture="/b.webp", price_fen=6,
        weight_grams=0, limit_per_user=None, on_sale=False, **common,
    )  # fmt: skip
    found = {sku_id: catalog.Offer.model_validate(offer) for sku_id, offer in offers.items()}
    assert found == {ids["a"]: first, ids["b"]: second}
    assert cards == {
        shown: catalog.ProductCard(shown, "Cup 1", "/1.webp", 5, True),
        draft: catalog.ProductCard(draft, "Cup 2", None, 6, False),
    }


async def test_what_is_remembered_is_void_after_a_write(
    app: Application, settings: Settings, client: httpx.AsyncClient, make: Make
) -> None:
    made = await make()

    async def available() -> int:
        found: int = (await send(client, "GET", f"/products/{made}"))["skus"][0]["available"]
        return found

    assert await available() == 5
    with app.resources.context("test"):
        async with unit_of_work() as work:
            await work.session.execute(update(Stock).values(available=3))
            # Not committed: nobody else sees it, and nothing of it is remembered.
            assert await available() == 5
    assert await available() == 3
    other = create_app(settings)
    async with running(other):
        with other.resources.context("test"):
            async with unit_of_work() as work:
                await work.session.execute(update(Stock).values(available=2))
    with clock.travel(seconds=2):
        assert await available() == 2

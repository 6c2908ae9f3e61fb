"""Themes and banners."""

import httpx

from tests.modules.shop.catalog.conftest import ONE, Make, send

THEME = {"name": "Spring", "topic_picture": "/t.webp", "head_picture": "/h.webp"}


async def test_theme_shows_its_products_in_order(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, make: Make
) -> None:
    first, second, draft = await make(pictures=["/1.webp"]), await make(), await make(on_sale=False)
    theme = await send(admin, "POST", "/shop/themes", THEME | {"order": 1}, 201)
    hidden = await send(admin, "POST", "/shop/themes", THEME | {"hidden": True}, 201)
    wanted = [second, draft, first]
    await send(admin, "PUT", f"/shop/themes/{theme}/products", {"product_ids": wanted}, 204)
    await send(admin, "PUT", f"/shop/themes/{hidden}/products", {"product_ids": wanted}, 204)
    listed = {"id": theme, "name": "Spring", "subtitle": None, "topic_picture": "/t.webp"}
    assert await send(client, "GET", "/themes") == [listed]
    cards = [
        {"id": second, "name": "Cup 2", "picture": None, "price_fen": 1002, "on_sale": True},
        {"id": first, "name": "Cup 1", "picture": "/1.webp", "price_fen": 1001, "on_sale": True},
    ]
    found = await send(client, "GET", f"/themes/{theme}")
    assert found == listed | {"head_picture": "/h.webp", "products": cards}
    await send(client, "GET", f"/themes/{hidden}", status=404)
    by_theme = await send(client, "GET", f"/products?theme_id={theme}")
    assert [item["id"] for item in by_theme["items"]] == [second, first]
    assert (await send(client, "GET", f"/products?theme_id={hidden}"))["items"] == []
    # What was cached is forgotten with the change of a product.
    await send(admin, "PUT", f"/shop/products/{second}/state", {"state": "off"}, 204)
    assert (await send(client, "GET", f"/themes/{theme}"))["products"] == cards[1:]
    assert (await send(admin, "GET", f"/shop/themes/{theme}"))["product_ids"] == wanted


@ONE
async def test_theme_is_kept(admin: httpx.AsyncClient, client: httpx.AsyncClient, make: Make) -> None:
    product = await make()
    theme = await send(admin, "POST", "/shop/themes", THEME, 201)
    path = f"/shop/themes/{theme}"
    for wrong in (["nothing"], [product, product]):
        response = await admin.put(f"/api/v1{path}/products", json={"product_ids": wrong})
        field = f"product_ids.{len(wrong) - 1}"
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)
    await send(admin, "PUT", path, THEME | {"name": "Summer", "subtitle": "Hot"}, 204)
    assert (await send(client, "GET", "/themes"))[0]["name"] == "Summer"
    page = await send(admin, "GET", "/shop/themes?name=summ")
    assert [item["id"] for item in page["items"]] == [theme]
    banner = await send(admin, "POST", "/shop/banners", {"code": "home", "name": "Home"}, 201)
    items = [{"picture": "/1.webp", "target": "theme", "target_id": theme}]
    await send(admin, "PUT", f"/shop/banners/{banner}/items", {"items": items}, 204)
    await send(admin, "DELETE", path, None, 409)
    await send(admin, "PUT", f"/shop/banners/{banner}/items", {"items": []}, 204)
    await send(admin, "DELETE", path, None, 204)
    await send(admin, "PUT", path, THEME, 404)
    await send(admin, "GET", path, None, 404)


async def test_banner_leads_to_what_customers_see(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, make: Make
) -> None:
    product, draft = await make(), await make(on_sale=False)
    theme = await send(admin, "POST", "/shop/themes", THEME, 201)
    hidden = await send(admin, "POST", "/shop/themes", THEME | {"hidden": True}, 201)
    banner = await send(admin, "POST", "/shop/banners", {"code": "home", "name": "Home"}, 201)
    targets = [
        ("page", "/pages/about"),
        ("product", product),
        ("product", draft),
        ("theme", hidden),
        ("theme", theme),
    ]
    items = [{"picture": "/1.webp", "target": kind, "target_id": target} for kind, target in targets]
    await send(admin, "PUT", f"/shop/banners/{banner}/items", {"items": items}, 204)
    found = await send(client, "GET", "/banners/home")
    assert found == {"code": "home", "name": "Home", "items": [items[0], items[1], items[4]]}
    assert (await send(admin, "GET", f"/shop/banners/{banner}"))["items"] == items
    await send(admin, "PUT", f"/shop/themes/{theme}", THEME | {"hidden": True}, 204)
    assert (await send(client, "GET", "/banners/home"))["items"] == items[:2]


@ONE
async def test_banner_is_kept(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    banner = await send(admin, "POST", "/shop/banners", {"code": "home", "name": "Home"}, 201)
    path = f"/shop/banners/{banner}"
    await send(admin, "POST", "/shop/banners", {"code": "home", "name": "Home"}, 409)
    for kind, target in (
        ("product", "nothing"),
        ("theme", "nothing"),
        ("page", "https://evil.example/"),
        ("page", "//evil.example/"),
    ):
        items = [{"picture": "/1.webp", "target": kind, "target_id": target}]
        response = await admin.put(f"/api/v1{path}/items", json={"items": items})
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "items.0.target_id")
    await send(admin, "PUT", path, {"code": "top", "name": "Top"}, 204)
    assert (await send(client, "GET", "/banners/top"))["name"] == "Top"
    await send(client, "GET", "/banners/home", status=404)
    assert (await send(admin, "GET", "/shop/banners?code=to"))["items"][0]["id"] == banner
    await send(admin, "PUT", path, {"code": "top", "name": "Top", "hidden": True}, 204)
    await send(client, "GET", "/banners/top", status=404)
    await send(admin, "DELETE", path, None, 204)
    await send(admin, "PUT", path, {"code": "top", "name": "Top"}, 404)

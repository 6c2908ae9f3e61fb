"""The demo is a shop whose numbers agree, and clearing it leaves the database as if it had never been there."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select, text, update

from tests.modules.account.conftest import cheap_passwords, settings
from tests.modules.shop.catalog.conftest import category, make, send
from xumi.api import Application
from xumi.kernel.db.session import unit_of_work
from xumi.modules.shop.demo import service
from xumi.modules.shop.demo.service import history
from xumi.modules.shop.demo.service.rows import make_id, table
from xumi.modules.shop.sales import service as sales
from xumi.modules.shop.verification import service as verification

__all__ = ["category", "cheap_passwords", "make", "settings"]

# What tells of what happened stays, as it would of anything else.
_LOGS = ("event_outbox", "event_delivery", "audit_entry", "shop_daily_sales", "shop_product_search")


@pytest.fixture(autouse=True)
def _short_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two weeks are enough to have orders in most states."""
    monkeypatch.setattr(history, "DAYS", 15)
    monkeypatch.setattr(history, "ORDERS_A_DAY", 1)


async def check(app: Application) -> None:
    """Every invariant holds, and the figures of sales are those of the orders."""
    with app.resources.context("test"):
        async for verdict in verification.verify():
            assert verdict.broken == [], verdict.invariant.name
        assert await sales.recount(repair=False) == []


async def count_rows(app: Application) -> dict[str, int]:
    """How many rows each table has, but for logs."""
    found: dict[str, int] = {}
    async with app.resources.database.sessions() as session:
        for name in sorted(table("shop_sku").metadata.tables):
            if name.startswith(("shop_", "account_", "job")) and not name.startswith(_LOGS):
                found[name] = await session.scalar(text(f"SELECT count(*) FROM {name}")) or 0
    return found


async def load(app: Application) -> bool:
    """Load the demo."""
    with app.resources.context("test"):
        return await service.load()


async def clear(app: Application) -> bool:
    """Clear the demo."""
    with app.resources.context("test"):
        return await service.clear()


async def test_it_is_a_shop_with_a_past_and_leaves_nothing(
    app: Application, client: httpx.AsyncClient
) -> None:
    before = await count_rows(app)
    assert await clear(app) is False
    assert await load(app) is True
    assert await load(app) is False
    await check(app)
    async with app.resources.database.sessions() as session:
        states = set((await session.execute(text("SELECT DISTINCT state FROM shop_order"))).scalars())
    assert states >= {"unpaid", "paid", "completed"}
    assert len(await send(client, "GET", "/categories")) == 8
    page = await send(client, "GET", "/products?size=1")
    assert page["total"] == 58
    detail = await send(client, "GET", f"/products/{page['items'][0]['id']}")
    assert detail["skus"]
    picture = await client.get(detail["pictures"][0])
    assert picture.headers["Content-Type"].startswith("image/svg+xml")
    assert (await send(client, "GET", "/products?keyword=龙井&size=1"))["total"] == 1
    assert len((await send(client, "GET", "/banners/home"))["items"]) == 4
    assert await clear(app) is True
    assert await count_rows(app) == before
    await check(app)


async def test_clearing_takes_what_hangs_on_it_and_nothing_else(
    app: Application, admin: httpx.AsyncClient, user: httpx.AsyncClient, make: Any
) -> None:
    own = await make(limit_per_user=9)
    (sku,) = (await send(admin, "GET", f"/products/{own}"))["skus"]
    before = await count_rows(app)
    await load(app)
    demo = make_id("PRODUCT", 2)
    (first, *_) = (await send(admin, "GET", f"/products/{demo}"))["skus"]
    place = {
        "name": "A",
        "mobile": "13800138000",
        "province": "p",
        "city": "c",
        "district": "d",
        "detail": "e",
    }
    address = await send(user, "POST", "/addresses", place, 201)
    mixed = [(first["id"], first["price_fen"], 1), (sku["id"], sku["price_fen"], 2)]
    for lines in (mixed, mixed[1:]):
        wanted = [{"sku_id": sku, "price_fen": fen, "quantity": pieces} for sku, fen, pieces in lines]
        await send(user, "POST", "/orders", {"address_id": address, "lines": wanted}, 201)
    await send(user, "PUT", f"/favourites/{demo}", None, 204)
    await send(user, "PUT", f"/cart/lines/{first['id']}", {"quantity": 1}, 204)
    with app.resources.context("test"):
        async with unit_of_work() as work:
            products = table("shop_product")
            moved = {"category_id": make_id("CATEGORY", 2), "freight_template_id": make_id("FREIGHT", 1)}
            await work.session.execute(update(products).where(products.c.id == own).values(moved))
    assert await clear(app) is True
    await check(app)
    # The order without goods of the demo stays, with what belongs to it, and what the shop's own product needs.
    assert {
        name: rows - before[name] for name, rows in (await count_rows(app)).items() if rows != before[name]
    } == {
        "job": 1,
        "shop_address": 1,
        "shop_category": 1,
        "shop_freight_rule": 2,
        "shop_freight_template": 1,
        "shop_order": 1,
        "shop_order_change": 1,
        "shop_order_line": 1,
        "shop_purchase": 1,
        "shop_stock_movement": 1,
    }
    async with app.resources.database.sessions() as session:
        stocks = table("shop_stock")
        level = (await session.execute(select(stocks).where(stocks.c.id == sku["id"]))).one()
        assert (level.available, level.reserved) == (3, 2)
        assert await session.scalar(text("SELECT quantity FROM shop_purchase")) == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_pictures_are_drawn_from_their_names(client: httpx.AsyncClient) -> None:
    answers = [await client.get(f"/demo/pictures/{name}.svg") for name in ("tea-1", "tea-1", "tea-2")]
    assert answers[0].content == answers[1].content != answers[2].content
    assert answers[0].headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answers[0].headers["Cache-Control"] == "public, max-age=86400"
    for name in ("tea-1", "tea-1.png", ".svg", "Tea.svg", "a%22b.svg", "x" * 65 + ".svg", "tea_1.svg"):
        assert (await client.get(f"/demo/pictures/{name}")).status_code == 404

"""Rows of the demo that are there from the beginning: they are put into the tables as they are, with ids that tell them apart."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.db.model import ModelBase
from xumi.kernel.ids import KEY_LENGTH
from xumi.modules.shop.catalog.service.search import index_product
from xumi.modules.shop.demo.constants import CUSTOMERS, OPENING_STOCK, PREFIX
from xumi.modules.shop.demo.service.assortment import (
    GIVEN_NAMES,
    PLACES,
    SHELVES,
    SURNAMES,
    THEMES,
    Language,
    Shelf,
    pick,
)
from xumi.modules.shop.stock import service as stock

Row = dict[str, Any]
_REMOTE = ["新疆维吾尔自治区", "西藏自治区"]
_MATERIAL = ("产地", "Made in"), ("中国", "China")


def table(name: str) -> Table:
    """A table by name: the models of other features are theirs."""
    return ModelBase.metadata.tables[name]


def make_id(kind: str, number: int) -> str:
    """The id of a demo row."""
    return f"{PREFIX}{kind}{number:0{KEY_LENGTH - len(PREFIX) - len(kind)}d}"


async def add(session: AsyncSession, name: str, rows: Sequence[Row]) -> None:
    """Insert rows into a table; columns that they leave out get their defaults."""
    await session.execute(insert(table(name)), rows)


async def add_catalogue(session: AsyncSession, language: Language) -> None:
    """Categories, products with SKUs, stock and freight, themes, banners."""
    await _add_freight(session, language)
    categories, products, skus = list(_categories(language)), list(_products(language)), list(_skus(language))
    await add(session, "shop_category", categories)
    await add(session, "shop_product", products)
    await add(session, "shop_sku", skus)
    await stock.open_stocks(session, {sku["id"]: (OPENING_STOCK, 10) for sku in skus})
    for product in products:
        await index_product(session, product["id"])
    await _add_topics(session, language)


async def _add_freight(session: AsyncSession, language: Language) -> None:
    name = pick(("演示：普通快递", "Demo: parcel"), language)
    template = make_id("FREIGHT", 1)
    await add(
        session,
        "shop_freight_template",
        [{"id": template, "name": name, "unit": "gram", "free_from_fen": 19_900}],
    )
    rules = [
        {"provinces": [], "first": 1000, "first_fen": 800, "step": 1000, "step_fen": 200},
        {"provinces": _REMOTE, "first": 1000, "first_fen": 1800, "step": 1000, "step_fen": 1000},
    ]
    await add(
        session,
        "shop_freight_rule",
        [{"id": make_id("RULE", n), "template_id": template, **rule} for n, rule in enumerate(rules)],
    )


def _categories(language: Language) -> Iterator[Row]:
    for n, shelf in enumerate(SHELVES, 1):
        picture = f"/demo/pictures/{shelf.code}-category.svg"
        name = pick(shelf.name, language)
        yield {"id": make_id("CATEGORY", n), "name": name, "picture": picture, "order": n}


def _numbered() -> Iterator[tuple[int, int, int, Shelf]]:
    """Each product's number, its number on its shelf, and the shelf with its number."""
    number = 0
    for at, shelf in enumerate(SHELVES, 1):
        for place in range(len(shelf.goods)):
            number += 1
            yield number, place, at, shelf


def _products(language: Language) -> Iterator[Row]:
    now = clock.now()
    for number, place, at, shelf in _numbered():
        goods, stem = shelf.goods[place], f"{shelf.code}-{place + 1}"
        name = pick(goods.name, language)
        origin, country = (pick(part, language) for part in _MATERIAL)
        told = pick((f"{name}，来自我们的演示商店。", f"{name}, from our demo shop."), language)
        yield {
            "id": make_id("PRODUCT", number),
            "code": f"DEMO-{stem.upper()}",
            "name": name,
            "subtitle": pick(shelf.name, language),
            "category_id": make_id("CATEGORY", at),
            "state": "on_sale",
            "pictures": [f"/demo/pictures/{stem}-{view}.svg" for view in "abc"],
            "properties": [{"name": origin, "value": country}],
            "description": f"<p>{told}</p>",
            "price_fen": min(_price(goods.price_fen, percent) for _, percent, _ in shelf.variants),
            "freight_template_id": make_id("FREIGHT", 1),
            "on_sale_at": now + timedelta(minutes=number),
        }


def _skus(language: Language) -> Iterator[Row]:
    for number, place, _, shelf in _numbered():
        goods = shelf.goods[place]
        for n, (value, percent, grams) in enumerate(shelf.variants):
            options = {pick(shelf.option, language): pick(value, language)}
            price = _price(goods.price_fen, percent)
            yield {
                "id": make_id("SKU", number * 10 + n),
                "product_id": make_id("PRODUCT", number),
                "code": f"DEMO-{shelf.code.upper()}-{place + 1}-{n + 1}",
                "options": options,
                # As the catalogue does it: no two SKUs of a product have the same options.
                "options_key": sha256(msgspec.json.encode(sorted(options.items()))).hexdigest(),
                "price_fen": price,
                "list_price_fen": price * 5 // 4 if place % 3 == 0 else None,
                "weight_grams": grams,
                "order": n,
            }


def _price(fen: int, percent: int) -> int:
    return fen * percent // 100


async def _add_topics(session: AsyncSession, language: Language) -> None:
    of_shelf: dict[str, list[str]] = {}
    for number, _, _, shelf in _numbered():
        of_shelf.setdefault(shelf.code, []).append(make_id("PRODUCT", number))
    themes, members, items = [], [], []
    # The place that clients ask for first; where the shop has it already, the demo's stands beside it.
    taken = select(table("shop_banner").c.id).where(table("shop_banner").c.code == "home")
    code = "home" if await session.scalar(taken) is None else "demo-home"
    for n, (name, subtitle, shelves) in enumerate(THEMES, 1):
        theme, picture = make_id("THEME", n), f"/demo/pictures/{shelves[0]}-theme-{n}.svg"
        themes.append(
            {
                "id": theme,
                "name": pick(name, language),
                "subtitle": pick(subtitle, language),
                "topic_picture": picture,
                "head_picture": picture,
                "order": n,
            }
        )
        products = [product for shelf in shelves for product in of_shelf[shelf]]
        members += [
            {"id": make_id("MEMBER", n * 100 + at), "theme_id": theme, "product_id": product, "order": at}
            for at, product in enumerate(products)
        ]
        target, target_id = ("theme", theme) if n % 2 else ("product", products[0])
        item = {"id": make_id("ITEM", n), "picture": picture, "order": n}
        items.append(item | {"target": target, "target_id": target_id})
    banner = make_id("BANNER", 1)
    await add(session, "shop_theme", themes)
    await add(session, "shop_theme_product", members)
    await add(
        session, "shop_banner", [{"id": banner, "code": code, "name": pick(("首页", "First page"), language)}]
    )
    await add(session, "shop_banner_item", [{"banner_id": banner, **item} for item in items])


async def add_customers(session: AsyncSession, chance: random.Random) -> None:
    """Accounts that nobody can sign in to, each with an address."""
    users, roles, addresses = [], [], []
    for n in range(1, CUSTOMERS + 1):
        user, name = make_id("USER", n), f"demo{n:02d}"
        email = f"{name}@example.com"
        users.append(
            {
                "id": user,
                "username": name,
                "username_key": name,
                "email": email,
                "email_key": email,
                # No password has this hash.
                "password_hash": "!demo",
            }
        )
        roles.append({"id": make_id("ROLE", n), "user_id": user, "role": "user"})
        province, city, district, street = chance.choice(PLACES)
        addresses.append(
            {
                "id": make_id("ADDRESS", n),
                "user_id": user,
                "name": chance.choice(SURNAMES) + chance.choice(GIVEN_NAMES),
                "mobile": f"139{n:08d}",
                "province": province,
                "city": city,
                "district": district,
                "detail": f"{street} {chance.randint(1, 200)} 号",
                "main": True,
            }
        )
    await add(session, "account_user", users)
    await add(session, "account_user_role", roles)
    await add(session, "shop_address", addresses)


async def add_wishes(session: AsyncSession, chance: random.Random) -> None:
    """What some customers have in their carts and like."""
    skus = [(sku["id"], sku["price_fen"]) for sku in _skus("zh")]
    lines, likes = [], []
    for n in range(1, CUSTOMERS + 1, 2):
        for at, (sku, fen) in enumerate(chance.sample(skus, 3)):
            line = {"user_id": make_id("USER", n), "sku_id": sku, "quantity": at + 1, "seen_price_fen": fen}
            lines.append({"id": make_id("LINE", n * 10 + at), **line})
        for at, number in enumerate(chance.sample(range(1, 61), 4)):
            like = {"user_id": make_id("USER", n), "product_id": make_id("PRODUCT", number)}
            likes.append({"id": make_id("LIKE", n * 10 + at), **like})
    await add(session, "shop_cart_line", lines)
    await add(session, "shop_favourite", likes)


def list_skus() -> list[tuple[str, int]]:
    """The id and the price of each SKU that can have been sold: the last product never was."""
    last = make_id("PRODUCT", len(list(_numbered())))
    return [(sku["id"], sku["price_fen"]) for sku in _skus("zh") if sku["product_id"] != last]

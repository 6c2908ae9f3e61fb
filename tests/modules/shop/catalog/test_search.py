"""Search by keyword finds what a plain filter in Python finds, in the right order, in step with the products."""

import random
import unicodedata
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from functools import cache
from itertools import groupby

import httpx
import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from tests.modules.shop.catalog.conftest import Make, send
from xumi.api import Application
from xumi.kernel import DatabaseManager, clock
from xumi.kernel.command import Params
from xumi.kernel.db.bulk import insert_many
from xumi.kernel.db.engine import Database
from xumi.modules.shop.catalog.commands import ReindexProducts
from xumi.modules.shop.catalog.constants import MAX_KEYWORD_LENGTH
from xumi.modules.shop.catalog.enums import ProductState
from xumi.modules.shop.catalog.models import Category, Product, ProductSearch
from xumi.modules.shop.catalog.service.search import (
    cut,
    forget_strangers,
    index_category,
    index_next,
    index_product,
    search,
)

everywhere = pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)

NOUNS = [
    "白瓷杯",
    "瓷杯",
    "杯子",
    "竹筷",
    "茶",
    "茶壶",
    "紫砂茶壶",
    "USB线",
    "Cup",
    "cupboard",
    "teaＰｏｔ",
    "ﾊﾟﾝ",
    "𠮷野家",
]
WORDS = [
    "红色",
    "红",
    "限量版",
    "iPhone15",
    "café",
    "Кружка",
    "XL",
    "x",
    "2026",
    "👍",
    "手工-制作",
    "ﬁne",
    "도자기",
]


@cache
def naive_units(text: str) -> list[tuple[bool, str]]:
    """The runs of a text, and whether each is of a script without spaces."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())

    def kind(character: str) -> int:
        name = unicodedata.name(character, "")
        if name.startswith(("CJK UNIFIED", "HIRAGANA", "KATAKANA", "HANGUL")):
            return 2
        return 1 if character.isalnum() else 0

    return [(key == 2, "".join(run)) for key, run in groupby(plain, kind) if key]


def naively_found(keyword: str, texts: Sequence[str]) -> bool:
    """Whether all units of the keyword are in these texts."""
    held = [unit for text in texts for unit in naive_units(text)]
    asked = naive_units(keyword)
    return bool(asked) and all(
        any((unit in other if cjk else other.startswith(unit)) for same, other in held if same == cjk)
        for cjk, unit in asked
    )


@pytest.fixture
async def session(database_url: str) -> AsyncIterator[AsyncSession]:
    """A session of a migrated database with one category."""
    database = Database(database_url)
    async with database.sessions() as opened:
        opened.add(Category(id="c", name="餐具 Tableware"))
        await opened.commit()
        yield opened
    await database.close()


def make_products(number: int) -> list[Product]:
    """Products with names and properties put together by chance."""
    chance = random.Random(1)

    def phrase(most: int) -> str:
        return chance.choice(["", " ", "·"]).join(chance.choices([*NOUNS, *WORDS], k=chance.randint(1, most)))

    start = clock.now()
    return [
        Product(
            id=f"P{index:05}",
            code=f"SKU-{index:05}",
            name=phrase(3),
            subtitle=phrase(2) if chance.random() < 0.5 else None,
            category_id="c",
            state=ProductState.ON_SALE,
            pictures=[],
            properties=[{"name": "材质", "value": phrase(1)}] if chance.random() < 0.3 else [],
            on_sale_at=start - timedelta(minutes=chance.randint(0, 500)),
        )
        for index in range(number)
    ]


async def index_all(session: AsyncSession) -> None:
    """What the command does."""
    after: str | None = ""
    while after is not None:
        after = await index_next(session, after)


async def find(session: AsyncSession, keyword: str) -> list[str]:
    """The ids of what a keyword finds, in order."""
    return list((await session.scalars(search(select(Product), keyword).with_only_columns(Product.id))).all())


KEYWORDS = [
    *["瓷", "瓷杯", "白瓷杯", "杯白", "壶", "红色 cup", "ｃｕｐ", "CAF", "iphone", "phone", "sku-00017", "餐具", "材质"],
    *["", " ", "👍", "餐具tableware x", "パ", "ハン", "사기", "круж", "𠮷", "ﬁ", "fi", "限量版红", "砂茶壶", "手工", "工制"],
]  # fmt: skip


def pieces(products: Sequence[Product], number: int) -> Iterator[str]:
    """Keywords cut out of the names of products."""
    chance = random.Random(2)
    for _ in range(number):
        text = chance.choice([" ", ""]).join(product.name for product in chance.choices(products, k=2))
        start = chance.randrange(len(text))
        yield text[start : start + chance.randint(1, 6)]


def texts_of(product: Product) -> list[str]:
    """All that a product is found by."""
    properties = [text for pair in product.properties for text in pair.values()]
    return [product.name, product.subtitle or "", product.code, "餐具 Tableware", *properties]


@everywhere
async def test_it_finds_what_a_plain_filter_finds(session: AsyncSession) -> None:
    products = make_products(1000)
    session.add_all(products)
    await index_all(session)
    await session.commit()
    for keyword in [*KEYWORDS, *pieces(products, 60)]:
        places = {
            product.id: (not naively_found(keyword, [product.name]), -product.on_sale_at.timestamp())
            for product in products
            if product.on_sale_at is not None and naively_found(keyword, texts_of(product))
        }
        found = await find(session, keyword)
        assert sorted(found) == sorted(places), keyword
        assert [places[each] for each in found] == sorted(places.values()), keyword


HOSTILE = [
    *['"', '""', "'", "';--", "*", "a*", "^a", "NEAR(a b)", "a NEAR/2 b", "a OR b", "NOT", "AND AND", "terms:a"],
    *["-cup", "+cup", "(cup", "cup)", "cup & ! | <->", "\\", "\\'", "cup:*", "cup:AB", "{a b}: c", "%", "_", "a\0b"],
    *["(?=.*)", ".*", "[", "👍🏽", "\u200b", "\u202e", "\ufdfa", "İ", "ß", "e\u0301", "杯" * 10_000, "a" * 10_000, "a " * 10_000],
    *["\U0010ffff", "ﷺ" * 200, "杯\n壶", "𠮷" * 50],
]  # fmt: skip


@everywhere
async def test_any_text_is_a_keyword(session: AsyncSession) -> None:
    product = Product(id="P", code="a", name="Cup 杯", category_id="c", pictures=[], properties=[])
    session.add(product)
    await index_product(session, "P")
    held = ["Cup 杯", "a", "餐具 Tableware"]
    for keyword in HOSTILE:
        expected = ["P"] if naively_found(keyword[:MAX_KEYWORD_LENGTH], held) else []
        assert await find(session, keyword) == expected, keyword


@everywhere
async def test_the_index_keeps_step_with_the_product(session: AsyncSession) -> None:
    product = Product(id="P", code="a1", name="白瓷杯", category_id="c", pictures=[], properties=[])
    session.add(product)
    await index_product(session, "P")
    assert await find(session, "瓷") == ["P"]
    await session.commit()
    product.name = "竹筷"
    await index_product(session, "P")
    assert (await find(session, "瓷"), await find(session, "竹筷")) == ([], ["P"])
    await session.rollback()
    assert (await find(session, "瓷"), await find(session, "竹筷")) == (["P"], [])
    await session.execute(update(Category).values(name="厨房"))
    await index_category(session, "c")
    assert (await find(session, "餐具"), await find(session, "厨")) == ([], ["P"])
    await session.execute(delete(Product))
    await index_product(session, "P")
    assert await session.scalar(select(func.count()).select_from(ProductSearch)) == 0


@everywhere
async def test_what_belongs_to_no_product_is_forgotten(session: AsyncSession) -> None:
    product = Product(id="P", code="a1", name="白瓷杯", category_id="c", pictures=[], properties=[])
    session.add(product)
    await index_product(session, "P")
    if session.get_bind().dialect.name == "sqlite":
        # The other databases do not let a stranger in.
        await insert_many(session, ProductSearch, [{"id": "Q", "name_terms": "a", "terms": "a"}])
    await forget_strangers(session)
    assert list((await session.scalars(select(ProductSearch.id))).all()) == ["P"]


@everywhere
async def test_a_product_with_very_much_text_is_found_by_its_beginning(session: AsyncSession) -> None:
    properties = [{"name": f"n{index}", "value": "杯" * 100 + "x" * 3000} for index in range(300)]
    product = Product(id="P", code="a1", name="白瓷杯", category_id="c", pictures=[], properties=properties)
    session.add(product)
    await index_product(session, "P")
    assert await find(session, "白瓷杯 n5 杯杯杯") == ["P"]


def test_units() -> None:
    assert cut("白瓷杯ＵＳＢ-C 2.0 Straße") == ["白瓷杯", "usb", "c", "2", "0", "strasse"]


async def test_customers_search(client: httpx.AsyncClient, admin: httpx.AsyncClient, make: Make) -> None:
    other = await send(admin, "POST", "/shop/categories", {"name": "餐具"}, 201)
    older = await make(name="白瓷茶壶", skus=[{"code": "x", "price_fen": 9900}])
    newer = await make(name="红茶", properties=[{"name": "材质", "value": "白瓷"}])
    tableware = await make(name="白瓷杯 Cup", category_id=other, subtitle="USB 加热")
    await make(name="白瓷碗", on_sale=False)

    async def found(**query: object) -> list[str]:
        response = await client.get("/api/v1/products", params=query)
        assert response.status_code == 200, response.text
        page = response.json()["data"]
        assert page["total"] == len(page["items"])
        return [item["id"] for item in page["items"]]

    assert await found(keyword="白瓷") == [tableware, older, newer]
    assert await found(keyword="ｕｓｂ 白瓷") == await found(keyword="餐具") == [tableware]
    assert await found(keyword="白瓷", category_id=other) == [tableware]
    assert await found(keyword="白瓷", min_price_fen=9900) == [older]
    assert await found(keyword="瓷", sort="-price_fen") == [older, tableware, newer]
    assert await found(keyword=" ") == await found() == [tableware, newer, older]
    assert await found(keyword="👍") == []
    page = await send(client, "GET", "/products?keyword=白瓷&page=2&size=1&count=none")
    assert [item["id"] for item in page["items"]] == [older]
    await send(admin, "PATCH", f"/shop/products/{older}", {"name": "紫砂"}, 204)
    await send(admin, "PATCH", f"/shop/categories/{other}", {"name": "厨房"}, 204)
    await send(admin, "DELETE", f"/shop/products/{newer}", status=204)
    assert await found(keyword="白瓷") == await found(keyword="厨房") == [tableware]
    assert await found(keyword="餐具") == []
    for refused in ("a" * 10_000, "a\0b"):
        response = await client.get("/api/v1/products", params={"keyword": refused})
        assert response.status_code == 422, response.text


async def test_the_command_indexes_what_was_never_indexed(
    app: Application, client: httpx.AsyncClient, make: Make
) -> None:
    made = await make(name="白瓷杯")
    with app.resources.context("test"):
        async with DatabaseManager() as session:
            await session.execute(text("DELETE FROM shop_product_search"))
        assert (await send(client, "GET", "/products?keyword=瓷"))["items"] == []
        await ReindexProducts.run(Params())
    assert [item["id"] for item in (await send(client, "GET", "/products?keyword=瓷"))["items"]] == [made]

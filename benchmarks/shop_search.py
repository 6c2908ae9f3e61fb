"""Search by keyword on 100,000 products: how long the first page takes, beside the same statement on the bare driver.

python -m benchmarks.shop_search               both databases, about three minutes
python -m benchmarks.shop_search --products 10000

`xumi` is what the public list reads when it does not remember the page, without HTTP; `driver` is the SQL that it runs, with the same arguments, on
sqlite3 or asyncpg, rows fetched and nothing made of them. `total` is the statement that counts, on the driver.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from xumi.api import Application, create_app, prepare
from xumi.kernel import clock
from xumi.kernel.config import Settings
from xumi.kernel.db import insert_many, unit_of_work
from xumi.kernel.db.runner import Query
from xumi.kernel.testing.client import running
from xumi.kernel.testing.postgres import PostgresServer
from xumi.modules.shop.catalog.enums import ProductState
from xumi.modules.shop.catalog.models import Category, Product
from xumi.modules.shop.catalog.schemas.product import ProductQuery
from xumi.modules.shop.catalog.service.listing import _read_page
from xumi.modules.shop.catalog.service.search import index_next

ROUNDS = 200
SECONDS_AT_MOST = 2.0
CATEGORIES = ["茶具", "餐具", "文具", "服装", "数码", "家居", "食品", "图书"]
BRANDS = ["acme", "bamboo", "canon", "delta", "espresso", "fujitsu", "galaxy", "huawei"]


def make_words(chance: random.Random) -> list[str]:
    """Words of two to four characters out of 2,500."""
    return [
        "".join(chr(0x4E00 + chance.randrange(2500)) for _ in range(chance.choice([2, 2, 3, 4])))
        for _ in range(8000)
    ]


def make_products(number: int, words: list[str]) -> list[dict[str, Any]]:
    """Products whose names use few words often and many words seldom."""
    chance = random.Random(2)
    weights = [1 / (rank + 3) for rank in range(len(words))]
    picked = iter(chance.choices(words, weights, k=number * 8))
    now = clock.now()
    return [
        {
            "id": f"{index:026}",
            "code": f"SKU-{index:06}",
            "name": f"{next(picked)}{next(picked)} {chance.choice(BRANDS)}{index % 1000}",
            "subtitle": f"{next(picked)}，{next(picked)}",
            "category_id": str(chance.randrange(len(CATEGORIES))),
            "state": ProductState.ON_SALE,
            "pictures": ["/files/a.webp"],
            "properties": [{"name": "材质", "value": next(picked)}, {"name": "产地", "value": next(picked)}],
            "price_fen": chance.randrange(100, 100_000),
            "on_sale_at": now - timedelta(minutes=chance.randrange(500_000)),
        }
        for index in range(number)
    ]


def make_keywords(words: list[str]) -> dict[str, str]:
    """One keyword for each kind of question."""
    long = next(word for word in words[200:] if len(word) == 4)
    return {
        "1 character": words[300][0],
        "2 characters": next(word for word in words[300:] if len(word) == 2),
        "4 characters": long,
        "2 words": f"{words[20]} {words[30]}",
        "beginning of a word": "bamboo12",
        "code": "SKU-012345",
        "in every product": "材质",
        "in one of 8": "茶具",
        "in none": "𠮷",
    }


async def fill(number: int, words: list[str]) -> float:
    """Make and index the products; returns how many were indexed a second."""
    async with unit_of_work() as work:
        rows = [{"id": str(place), "name": name} for place, name in enumerate(CATEGORIES)]
        await insert_many(work.session, Category, rows)
        await insert_many(work.session, Product, make_products(number, words))
    start, after = time.perf_counter(), ""
    while True:
        async with unit_of_work() as work:
            found = await index_next(work.session, after)
        if found is None:
            return number / (time.perf_counter() - start)
        after = found


async def measure(call: Callable[[], Awaitable[Any]]) -> list[float]:
    """Milliseconds of each of many calls."""
    for _ in range(5):
        await call()
    taken: list[float] = []
    while len(taken) < ROUNDS and sum(taken) < SECONDS_AT_MOST * 1000:
        start = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - start) * 1000)
    return sorted(taken)


async def open_driver(app: Application) -> Callable[[Query], Awaitable[Any]]:
    """A function that runs SQL on the bare driver."""
    url = app.resources.database.url
    if url.get_backend_name() == "sqlite":
        connection = sqlite3.connect(str(url.database), isolation_level=None, cached_statements=256)

        async def fetch_sqlite(query: Query) -> Any:
            return connection.execute(query.sql, query.arguments).fetchall()

        return fetch_sqlite
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    link = await asyncpg.connect(plain)

    async def fetch_postgresql(query: Query) -> Any:
        return await link.fetch(query.sql, *query.arguments)

    return fetch_postgresql


async def run(name: str, url: str, number: int) -> None:
    """Fill a database and print one line for each kind."""
    app = create_app(
        Settings.model_validate({"app_env": "test", "database_url": url, "worker_enabled": False})
    )
    await prepare(app)
    words = make_words(random.Random(1))
    async with running(app):
        with app.resources.context("benchmark"):
            rate = await fill(number, words)
            driver = await open_driver(app)
            await driver(Query("VACUUM ANALYZE" if name == "postgresql" else "ANALYZE", ()))
            print(f"\n{name}, {number:,} products, {rate:,.0f} indexed a second\n")
            print("| keyword | found | xumi ms | p99 | driver ms | p99 | driver / xumi | total ms |")
            print("|---|---|---|---|---|---|---|---|")
            for kind, keyword in make_keywords(words).items():
                await compare(app, driver, kind, keyword)


async def compare(
    app: Application, driver: Callable[[Query], Awaitable[Any]], kind: str, keyword: str
) -> None:
    """Print the figures of one keyword."""
    runner = app.resources.database.read.runner
    seen: list[Query] = []
    fetch = runner.fetch

    async def noting(query: Query) -> Any:
        # The application's own watchers read as well.
        if "shop_product_search" in query.sql:
            seen.append(query)
        return await fetch(query)

    runner.fetch = noting  # type: ignore[method-assign]
    counted = await _read_page(ProductQuery(keyword=keyword, size=20))
    runner.fetch = fetch  # type: ignore[method-assign]
    # A page that is not full needs no count.
    counting = seen[1] if len(seen) > 1 else None
    query = ProductQuery(keyword=keyword, size=20, count="none")
    ours = await measure(lambda: _read_page(query))
    theirs = await measure(lambda: driver(seen[0]))
    total = f"{statistics.median(await measure(lambda: driver(counting))):.2f}" if counting else "-"
    median, bare = statistics.median(ours), statistics.median(theirs)
    print(
        f"| {kind} | {counted.total} | {median:.2f} | {ours[int(len(ours) * 0.99)]:.2f} "
        f"| {bare:.2f} | {theirs[int(len(theirs) * 0.99)]:.2f} | {bare / median:.0%} | {total} |",
        flush=True,
    )


def main() -> None:
    """Both databases, one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    if options.only != "postgresql":
        with tempfile.TemporaryDirectory(prefix="xumi-bench-") as folder:
            asyncio.run(run("sqlite", f"sqlite:///{Path(folder, 'search.db')}", options.products))
    if options.only != "sqlite":
        with PostgresServer() as server:
            asyncio.run(run("postgresql", server.create_database("search"), options.products))


if __name__ == "__main__":
    main()

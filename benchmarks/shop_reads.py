"""What the shop's public reads cost against their limit: a page of products, and one product with its SKUs and stock.

python -m benchmarks.shop_reads [--rounds 3] [--seconds 2]        both databases, about 2 minutes

10,000 products with 6 SKUs each. Two servers on one core, Xumi as in production and `shop_limit`; the rounds alternate, the load and
the database have the other core. Fails when the two do not answer with the same data.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.load import Request
from benchmarks.measure import play, summarise
from benchmarks.run import _call, find_cores, make_environment
from benchmarks.servers import BenchmarkError, Server, Variant, _uvicorn, _xumi, serve
from xumi.api import create_app, prepare
from xumi.kernel.config import Settings
from xumi.kernel.db.bulk import insert_many
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.testing.postgres import PostgresServer
from xumi.modules.shop.catalog.enums import ProductState
from xumi.modules.shop.catalog.models import Category, Product, Sku
from xumi.modules.shop.stock.models import Stock

PRODUCTS, SKUS = 10_000, 6
AIM = 0.75
ASKED = 50  # different products
VARIANTS = (
    Variant("limit", "limit: bare ASGI, driver, msgspec", _uvicorn("benchmarks.shop_limit:app")),
    Variant("xumi", "Xumi", _xumi),
)
SCENARIOS = {
    "list": ["/api/v1/products?page=1&size=20"],
    "detail": [f"/api/v1/products/{number:026d}" for number in range(1, PRODUCTS, PRODUCTS // ASKED)],
}
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def _product(number: int) -> dict[str, Any]:
    return {
        "id": f"{number:026d}",
        "code": f"product-{number}",
        "name": f"竹杯 Bamboo cup {number}",
        "subtitle": "From the hills of Anji",
        "category_id": "0" * 26,
        "state": ProductState.ON_SALE,
        "pictures": [f"/files/products/{number}/{place}.webp" for place in range(4)],
        "properties": [{"name": f"Property {place}", "value": "Bamboo"} for place in range(6)],
        "description": "<p>Grown on the hills of <b>Anji</b>, turned by hand.</p>" * 30,
        "price_fen": 2900,
        "on_sale_at": _FIRST_DAY + timedelta(minutes=number),
    }


def _sku(number: int, place: int) -> dict[str, Any]:
    return {
        "id": f"{number * SKUS + place:026d}",
        "product_id": f"{number:026d}",
        "code": f"product-{number}-{place}",
        "options": {"Colour": f"colour {place % 3}", "Size": f"size {place // 3}"},
        "options_key": str(place),
        "price_fen": 2900 + place,
        "list_price_fen": 3900,
        "weight_grams": 120,
        "picture": None,
        "order": place,
    }


async def _fill(url: str) -> None:
    values = {"app_env": "test", "database_url": url, "initial_admin_password": "correct horse battery"}
    app = create_app(Settings.model_validate(values | {"worker_enabled": False}))
    await prepare(app)
    numbers = range(1, PRODUCTS + 1)
    skus = [_sku(number, place) for number in numbers for place in range(SKUS)]
    try:
        with app.resources.context("benchmark"):
            async with unit_of_work() as work:
                await insert_many(work.session, Category, [{"id": "0" * 26, "name": "Cups"}])
                await insert_many(work.session, Product, map(_product, numbers))
                await insert_many(work.session, Stock, ({"id": sku["id"], "available": 10} for sku in skus))
                await insert_many(work.session, Sku, skus)
            async with unit_of_work() as work:
                await work.session.execute(text("ANALYZE"))
    finally:
        await app.resources.database.close()


@contextmanager
def _database(name: str, folder: Path) -> Iterator[str]:
    if name == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    with PostgresServer() as server:
        yield server.create_database("bench")


def _same(servers: Sequence[Server], request: Request) -> None:
    first, second = (_call(server, request)["data"] for server in servers)
    for data in (first, second):
        data.pop("total_age", None)
    if first != second:
        raise BenchmarkError(f"{request.path}: the answers differ:\n{first}\nand\n{second}"[:2000])


def _measure(name: str, rounds: int, seconds: float) -> None:
    cores, environment = find_cores(), make_environment()
    with tempfile.TemporaryDirectory(prefix="xumi-bench-") as temporary:
        folder = Path(temporary)
        with _database(name, folder) as url:
            asyncio.run(_fill(url))
            environment["DATABASE_URL"] = url
            with serve(VARIANTS, environment, folder, cores.servers) as servers:
                for server in servers:
                    server.wait_until_ready(SCENARIOS["list"][0])
                for key, paths in SCENARIOS.items():
                    requests = [Request("GET", path, {}) for path in paths]
                    _same(servers, requests[0])
                    played = play(servers, requests, 200, cores, rounds, seconds)
                    found = {variant: summarise(each) for variant, each in played.items()}
                    share = found["limit"].cpu_us / found["xumi"].cpu_us
                    for variant, figures in found.items():
                        print(
                            f"{name:<10} {key:<6} {variant:<5} {figures.cpu_us:6.0f} µs CPU  {figures.per_second:7,.0f}/s  "
                            f"p99 {figures.p99_ms:5.1f} ms  spread {figures.spread:.2f}  foreign {figures.foreign:.2f}"
                        )
                    judged = "met" if share >= AIM else "MISSED"
                    print(
                        f"{name:<10} {key:<6} {share:.0%} of the limit, aim {AIM:.0%}: {judged}", flush=True
                    )


def main() -> int:
    """Print the figures; the exit status is 1 where they are worth nothing."""
    parser = argparse.ArgumentParser(description="Compares the shop's public reads with their limit.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    arguments = parser.parse_args()
    if (load := find_cores().load) is not None:
        os.sched_setaffinity(0, {load})  # what is started from here, PostgreSQL too, inherits it
    try:
        for name in ("sqlite", "postgresql"):
            if arguments.only in (None, name):
                _measure(name, arguments.rounds, arguments.seconds)
    except BenchmarkError as error:
        print(f"benchmark failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

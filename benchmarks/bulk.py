"""Rows per second of `insert_many` and `upsert`, beside one entity for each row, on both databases.

python -m benchmarks.bulk          20,000 rows each time, about half a minute
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import String, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db import Database, ModelBase, ModelTimeColumns, insert_many, upsert
from xumi.kernel.testing.postgres import PostgresServer

ROWS = 20_000
ROUNDS = 3


class Article(ModelTimeColumns, ModelBase):
    """Goods as an import brings them."""

    __tablename__ = "bench_article"

    code: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    price_fen: Mapped[int]


def make_rows() -> list[dict[str, Any]]:
    return [{"code": f"{n:08}", "name": f"article {n}", "price_fen": n} for n in range(ROWS)]


async def add_all(session: AsyncSession) -> None:
    session.add_all(Article(**row) for row in make_rows())
    await session.flush()


async def insert_them(session: AsyncSession) -> None:
    await insert_many(session, Article, make_rows())


async def upsert_them(session: AsyncSession) -> None:
    await upsert(session, Article, make_rows(), key=[Article.code])


async def measure(database: Database, write: Callable[[AsyncSession], Awaitable[None]], empty: bool) -> float:
    """Rows per second of the fastest round, its commit included."""
    best = 0.0
    for _ in range(ROUNDS):
        async with database.sessions.begin() as session:
            if empty:
                await session.execute(delete(Article))
        start = time.perf_counter()
        async with database.sessions.begin() as session:
            await write(session)
        best = max(best, ROWS / (time.perf_counter() - start))
    return best


async def run(name: str, url: str) -> None:
    """Print one line for each way."""
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(Article.metadata.tables[Article.__tablename__].create)
    ways = {
        "session.add_all": (add_all, True),
        "insert_many": (insert_them, True),
        "upsert, all new": (upsert_them, True),
        "upsert, all there": (upsert_them, False),
    }
    for way, (write, empty) in ways.items():
        print(f"{name:<10}  {way:<17}  {await measure(database, write, empty):>9,.0f} rows/s", flush=True)
    await database.close()


def main() -> None:
    """Both databases, one after the other."""
    with tempfile.TemporaryDirectory(prefix="xumi-bench-") as folder:
        asyncio.run(run("sqlite", f"sqlite:///{Path(folder, 'bulk.db')}"))
    with PostgresServer() as server:
        asyncio.run(run("postgresql", server.create_database("bulk")))


if __name__ == "__main__":
    main()

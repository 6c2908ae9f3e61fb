"""The limit of placing orders: the same rows in the same transaction on asyncpg alone, without HTTP, by so many tasks at once.

`python -m benchmarks.shop_orders_limit URL SECONDS TASKS CONNECTIONS` prints the rate and the p99 as JSON. One order must have been placed
before: its rows are what each transaction writes again, under new ids.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import Any

import asyncpg
import uvloop

from xumi.kernel.ids import generate_key

TABLES = (
    "kernel_idempotency_key",
    "shop_order",
    "shop_order_change",
    "shop_order_line",
    "job",
    "event_outbox",
    "shop_stock_movement",
)
# Each order's own, beside its id.
OWN = {"order_id", "unique_key", "aggregate", "reference"}
READ = (
    "SELECT s.*, p.name, p.state, p.pictures FROM shop_sku s JOIN shop_product p ON p.id = s.product_id WHERE s.id = $1",
    "SELECT * FROM shop_address WHERE user_id = $1 AND main",
)
TAKE = """
    UPDATE shop_stock SET available = available - 1, reserved = reserved + 1 WHERE id = $1 AND available >= 1 RETURNING available
"""


class Placing:
    """Places the order that is there again and again.

    Args:
        rows: the row of each table that belongs to it.
    """

    def __init__(self, rows: dict[str, dict[str, Any]]) -> None:
        self._rows = rows
        self._inserts = {table: _insert(table, list(row)) for table, row in rows.items()}
        self.latencies: list[float] = []

    async def place(self, pool: asyncpg.Pool) -> None:
        """One transaction; what others wait for comes last."""
        began, order_id = time.perf_counter(), generate_key()
        async with pool.acquire() as connection, connection.transaction():
            await connection.fetchrow(READ[0], self._rows["shop_order_line"]["sku_id"])
            await connection.fetchrow(READ[1], self._rows["shop_order"]["user_id"])
            for table in TABLES[:-1]:
                await self._add(connection, table, order_id)
            await connection.fetchval(TAKE, self._rows["shop_order_line"]["sku_id"])
            await self._add(connection, TABLES[-1], order_id)
        self.latencies.append(time.perf_counter() - began)

    async def _add(self, connection: Any, table: str, order_id: str) -> None:
        row = dict(self._rows[table])
        row["id"] = order_id if table == "shop_order" else generate_key()
        row |= dict.fromkeys(OWN & row.keys(), order_id)
        if "number" in row:
            row["number"] = str(random.randrange(10**15, 10**16))
        await connection.execute(self._inserts[table], *row.values())


def _insert(table: str, columns: list[str]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    # lint: sql-from-strings names of our own tables and their columns
    return f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608


async def measure(url: str, seconds: float, tasks: int, connections: int) -> dict[str, float]:
    """Let so many tasks place orders on so many connections."""
    async with asyncpg.create_pool(url, min_size=connections, max_size=connections) as pool:
        rows = {}
        for table in TABLES:
            found = await pool.fetchrow(
                f"SELECT * FROM {table} ORDER BY id DESC LIMIT 1"  # noqa: S608  # lint: sql-from-strings our own tables
            )
            rows[table] = {name: value for name, value in found.items() if name != "position"}
        placing = Placing(rows)
        end = time.perf_counter() + seconds

        async def go_on() -> None:
            while time.perf_counter() < end:
                await placing.place(pool)

        began = time.perf_counter()
        await asyncio.gather(*(go_on() for _ in range(tasks)))
        elapsed = time.perf_counter() - began
    ranked = sorted(placing.latencies)
    return {"per_second": len(ranked) / elapsed, "p99_ms": ranked[int(len(ranked) * 0.99)] * 1000}


if __name__ == "__main__":
    arguments = sys.argv
    print(
        json.dumps(
            uvloop.run(measure(arguments[1], float(arguments[2]), int(arguments[3]), int(arguments[4])))
        )
    )

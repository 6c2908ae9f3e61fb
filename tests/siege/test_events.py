"""Events while processes are killed: nothing is lost, no effect happens twice, the order of each aggregate holds."""

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.siege.fleet import Fleet, fleet
from tests.siege.record import record
from tests.siege.scale import on_databases, scaled
from tests.siege.till import write_till
from xumi.kernel.db.engine import Database

pytestmark = [pytest.mark.siege, pytest.mark.timeout(1800)]

ORDERS = 20
CLIENTS = 16
QUIET_SECONDS = 120.0


@pytest.fixture
def till(tmp_path: Path, database_url: str) -> Iterator[Fleet]:
    """A project with the feature `till` on a database of its own; nothing runs yet."""
    write_till(tmp_path)
    with fleet(tmp_path, DATABASE_URL=database_url) as opened:
        opened.prepare()
        yield opened


@pytest.fixture
async def database(database_url: str) -> Any:
    """The same database, seen by the test."""
    opened = Database(database_url, pool_size=4)
    yield opened
    await opened.close()


async def rows(database: Database, sql: str) -> list[Any]:
    """Rows of a query."""
    async with database.sessions() as session:
        return list((await session.execute(text(sql))).all())


async def delivered(database: Database) -> None:
    """Return when nothing waits any more."""
    end = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < end:
        (waiting,) = await rows(
            database,
            "SELECT (SELECT count(*) FROM event_outbox WHERE NOT relayed) + "
            "(SELECT count(*) FROM event_delivery WHERE state = 'pending')",
        )
        if waiting[0] == 0:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{waiting[0]} deliveries are still waiting")


async def change_orders(url: str, count: int) -> int:
    """Change orders until so many changes were acknowledged; returns how many answers stayed out or were errors."""
    numbers, failures = iter(range(count)), 0

    async def go_on(client: httpx.AsyncClient) -> None:
        nonlocal failures
        for number in numbers:
            while True:
                try:
                    answer = await client.post(f"{url}/api/v1/till/order{number % ORDERS}")
                    if answer.status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                failures += 1
                await asyncio.sleep(0.25)

    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        await asyncio.gather(*(go_on(client) for _ in range(CLIENTS)))
    return failures


async def kill_at_random(till: Fleet, kills: int, chance: random.Random) -> None:
    """Kill a server or a worker again and again, and start it anew."""
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.2, 1.5))
        victim = chance.choice(till.names())
        till.kill(victim)
        till.start(victim)
        if victim == "server":
            await asyncio.to_thread(till.wait_for_server)


async def add_orders(database: Database, count: int) -> None:
    """Orders that nobody has changed yet."""
    async with database.sessions() as session:
        await session.execute(
            text("INSERT INTO till_order (id, number) VALUES (:id, 0)"),
            [{"id": f"order{number}"} for number in range(count)],
        )
        await session.commit()


async def test_nothing_is_lost_and_nothing_happens_twice(till: Fleet, database: Database) -> None:
    seed = random.randrange(1 << 32)
    events, kills = scaled(10_000), max(5, scaled(30))
    await add_orders(database, ORDERS)
    till.start("server", "run", "--port", str(till.port))
    till.start("worker1", "worker")
    till.start("worker2", "worker")
    till.wait_for_server()
    killing = asyncio.create_task(kill_at_random(till, kills, random.Random(seed)))
    unanswered = 0
    changes = 0
    while changes < events or not killing.done():
        unanswered += await change_orders(till.url, min(500, events))
        changes += min(500, events)
    await killing
    await delivered(database)
    committed = dict(await rows(database, "SELECT id, number FROM till_order"))
    outbox = await rows(database, "SELECT aggregate, data FROM event_outbox ORDER BY position")
    effects = await rows(database, "SELECT order_id, number FROM till_effect ORDER BY turn")
    total = sum(committed.values())
    seen = [tuple(row) for row in effects]
    wanted = {(order, number) for order, last in committed.items() for number in range(1, last + 1)}
    breaks = 0
    last_of: dict[str, int] = {}
    for order, number in seen:
        breaks += number <= last_of.get(order, 0)
        last_of[order] = number
    figures = {
        "database": database.dialect,
        "seed": seed,
        "kills": kills,
        "acknowledged": changes,
        "committed": total,
        "unanswered": unanswered,
        "published": len(outbox),
        "lost": len(wanted - set(seen)),
        "effects_twice": len(seen) - len(set(seen)),
        "effects_of_nothing": len(set(seen) - wanted),
        "order_breaks": breaks,
    }
    record(f"events-under-kills-{database.dialect}", figures)
    assert total >= changes
    assert len(outbox) == total
    assert (figures["lost"], figures["effects_twice"], figures["effects_of_nothing"], breaks) == (0, 0, 0, 0)


@on_databases("postgresql")
async def test_lag_under_a_steady_stream(till: Fleet, database: Database) -> None:
    count = max(1000, scaled(4_000))
    till.start("worker1", "worker")
    while "Xumi works" not in (till.directory / "worker1.log").read_text():
        await asyncio.sleep(0.1)
    seconds = float(await asyncio.to_thread(till.run, "publish.py", str(count), "200"))
    await delivered(database)
    lags = sorted(
        1000 * (row[0] - row[1]) for row in await rows(database, "SELECT seen_at, sent_at FROM till_effect")
    )
    record(
        f"events-lag-{database.dialect}",
        {
            "database": database.dialect,
            "events": count,
            "per_second": round(count / seconds),
            "p50_ms": round(lags[len(lags) // 2], 1),
            "p99_ms": round(lags[len(lags) * 99 // 100], 1),
            "max_ms": round(lags[-1], 1),
        },
    )
    assert len(lags) == count


@on_databases("postgresql")
async def test_throughput_of_one_worker(till: Fleet, database: Database) -> None:
    count = max(5000, scaled(20_000))
    await asyncio.to_thread(till.run, "publish.py", str(count), "0")
    till.start("worker1", "worker")
    await delivered(database)
    ((first, last, effects),) = await rows(
        database, "SELECT min(seen_at), max(seen_at), count(*) FROM till_effect"
    )
    per_second = round(count / (last - first))
    record(
        f"events-throughput-{database.dialect}",
        {"database": database.dialect, "events": count, "per_second": per_second},
    )
    assert effects == count

"""The pool of connections for reads: places are handed on in turn, and none is lost to those who give up."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from xumi.kernel.db import pool as pools
from xumi.kernel.db.errors import DatabaseUnavailable
from xumi.kernel.db.location import parse_url
from xumi.kernel.db.postgresql import Connector, PostgresRunner
from xumi.kernel.db.runner import Query

pytestmark = pytest.mark.anyio

SIZE = 3
NAP = Query("SELECT pg_sleep($1), 1", (0.05,))


@pytest.fixture
async def pool(empty_postgresql_url: str) -> AsyncIterator[PostgresRunner]:
    """Three connections at most."""
    _, url = parse_url(empty_postgresql_url)
    pool = PostgresRunner(Connector(url, 5.0), SIZE)
    yield pool
    await pool.close()


async def nap(pool: PostgresRunner) -> Any:
    """A read that takes a moment."""
    return (await pool.fetch(NAP))[0][1]


async def test_many_share_few_connections(pool: PostgresRunner) -> None:
    assert await asyncio.gather(*[nap(pool) for _ in range(5 * SIZE)]) == [1] * 5 * SIZE
    assert (pool._pool._room, len(pool._pool._idle), len(pool._pool._waiters)) == (SIZE, SIZE, 0)


async def test_who_came_first_is_served_first(pool: PostgresRunner) -> None:
    pool._pool._room = 1
    served: list[int] = []

    async def read(number: int) -> None:
        await pool.fetch(Query("SELECT 1", ()))
        served.append(number)

    await asyncio.gather(*[read(number) for number in range(20)])
    assert served == list(range(20))
    pool._pool._room = SIZE


async def test_no_place_is_lost_to_those_who_give_up(pool: PostgresRunner) -> None:
    for turn in range(6):
        readers = [asyncio.create_task(nap(pool)) for _ in range(4 * SIZE)]
        # At first while they connect or wait, later while they read, and in the moment of the hand-over.
        await asyncio.sleep(0.02 * turn)
        for reader in readers[::2]:
            reader.cancel()
        outcomes = await asyncio.gather(*readers, return_exceptions=True)
        assert [o for o in outcomes if o != 1 and not isinstance(o, asyncio.CancelledError)] == []
        assert (pool._pool._room, len(pool._pool._waiters)) == (SIZE, 0)
    assert await asyncio.gather(*[nap(pool) for _ in range(2 * SIZE)]) == [1] * 2 * SIZE


async def test_a_place_that_comes_as_its_taker_is_cancelled_goes_to_the_next(pool: PostgresRunner) -> None:
    pool._pool._room = 0
    first, second = (asyncio.create_task(nap(pool)) for _ in range(2))
    await asyncio.sleep(0)
    pool._pool._give_room()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == 1
    pool._pool._room += SIZE - 1


async def test_waiting_has_an_end(pool: PostgresRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "POOL_TIMEOUT_SECONDS", 0.1)
    long = Query("SELECT pg_sleep($1), 1", (1.0,))
    busy = [asyncio.create_task(pool.fetch(long)) for _ in range(SIZE)]
    await asyncio.sleep(0.05)
    with pytest.raises(DatabaseUnavailable, match="DATABASE_POOL_SIZE"):
        await nap(pool)
    await asyncio.gather(*busy)
    assert await nap(pool) == 1
    assert (pool._pool._room, len(pool._pool._waiters)) == (SIZE, 0)


async def test_after_a_close_it_starts_anew(pool: PostgresRunner) -> None:
    reading = asyncio.create_task(nap(pool))
    await asyncio.sleep(0.03)
    await pool.close()
    assert await reading == 1
    assert (pool._pool._room, pool._pool._idle) == (SIZE, [])
    assert await nap(pool) == 1
    assert (pool._pool._room, len(pool._pool._idle)) == (SIZE, 1)

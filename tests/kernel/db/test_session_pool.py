"""The pool of sessions: who waits longest is served first, and no connection is lost on the way."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from xumi.kernel.db.engine import Database


@pytest.fixture
async def small(own_url: str) -> Database:
    """Two connections for sessions."""
    return Database(own_url, pool_size=4)


async def test_who_comes_first_is_served_first(small: Database) -> None:
    served: list[int] = []

    async def use(number: int, times: int = 1) -> None:
        for _ in range(times):
            async with small.sessions() as session:
                await session.connection()
                served.append(number)
                await session.execute(text("SELECT 1"))

    # Two that come again and again, and others who wait once.
    size: int = small.engine.pool.size()  # type: ignore[attr-defined]
    greedy = [asyncio.create_task(use(-1, 40)) for _ in range(size)]
    await asyncio.sleep(0)
    await asyncio.gather(*(use(number) for number in range(10)))
    patient = [number for number in served if number >= 0]
    # Who gets his connection in the same moment as another may be ahead of him: MariaDB's are asked first whether they live.
    assert sorted(patient) == list(range(10))
    assert all(abs(place - number) < size for place, number in enumerate(patient))
    # Each of the two was served once more at most while one of the others waited.
    assert served.index(9) < 40
    await asyncio.gather(*greedy)
    await small.close()


async def test_who_gives_up_loses_no_connection(small: Database) -> None:
    size = small.engine.pool.size()  # type: ignore[attr-defined]
    held = [small.sessions() for _ in range(size)]
    for session in held:
        await session.execute(text("SELECT 1"))

    async def wait() -> None:
        async with small.sessions() as session:
            await session.execute(text("SELECT 1"))

    waiting = [asyncio.create_task(wait()) for _ in range(6)]
    await asyncio.sleep(0.05)
    # In the same moment one gives up and a connection comes back.
    waiting[0].cancel()
    await held.pop().close()
    waiting[1].cancel()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in done] == [asyncio.CancelledError] * 2 + [type(None)] * 4
    await held.pop().close()
    small.engine.pool._timeout = 0.2  # type: ignore[attr-defined]
    all_of_them = [small.sessions() for _ in range(size)]
    for session in all_of_them:
        await session.execute(text("SELECT 1"))
    with pytest.raises(PoolTimeoutError):
        await wait()
    for session in all_of_them:
        await session.close()
    await wait()
    await small.close()

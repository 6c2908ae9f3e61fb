"""Counters that all processes share."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select

from tests.conftest import make_settings
from xumi.kernel import counters
from xumi.kernel.counters import Counter
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.resources import Resources

pytestmark = pytest.mark.anyio

# For tests of what each database does in its own way.
ON_ALL = pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)


@pytest.fixture
async def resources(database_url: str) -> AsyncIterator[Resources]:
    """A process in which a piece of work runs."""
    opened = Resources(make_settings(database_url))
    await opened.start()
    with opened.context("test"):
        yield opened
    await opened.close()


@ON_ALL
async def test_a_counter_begins_at_zero(resources: Resources) -> None:
    assert await counters.add("a") == 1
    assert await counters.add("a", 5) == 6
    assert await counters.add("a", -7) == -1
    assert await counters.add("a", 0) == -1
    assert await counters.add("A", 0) == 0
    await counters.forget("a")
    assert await counters.add("a", resources=resources) == 1


@ON_ALL
async def test_many_at_once_lose_nothing(resources: Resources) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(counters.add("a")) for _ in range(30)]
    assert sorted(task.result() for task in tasks) == list(range(1, 31))


async def test_a_change_belongs_to_the_transaction_that_is_given(resources: Resources) -> None:
    async with unit_of_work() as work:
        assert await counters.add("a", 2, session=work.session) == 2
        assert await counters.take("b", 1, limit=1, window_seconds=60, session=work.session)
        await work.rollback()
    assert await counters.add("a", 0) == 0
    assert await counters.take("b", 1, limit=1, window_seconds=60)


async def test_without_one_it_is_refused_inside_a_transaction(resources: Resources) -> None:
    async with unit_of_work() as work:
        await counters.add("a", session=work.session)
        with pytest.raises(RuntimeError, match="pass session="):
            await counters.add("a")
        with pytest.raises(RuntimeError, match="pass session="):
            await counters.take("a", 1, limit=1, window_seconds=1)


@ON_ALL
async def test_a_window_gives_no_more_than_its_limit(resources: Resources) -> None:
    async def take(amount: int) -> bool:
        return await counters.take("a", amount, limit=5, window_seconds=60)

    assert [await take(amount) for amount in (3, 3, 2, 1, 6)] == [True, False, True, False, False]


@ON_ALL
async def test_the_next_window_begins_anew(resources: Resources) -> None:
    async def take(amount: int) -> bool:
        return await counters.take("a", amount, limit=2, window_seconds=1)

    assert [await take(1), await take(2)] == [True, False]
    await asyncio.sleep(1.1)
    assert [await take(2), await take(1)] == [True, False]


@pytest.mark.parametrize(("amount", "window"), [(0, 1), (-1, 1), (1, 0)])
async def test_nonsense_is_refused(resources: Resources, amount: int, window: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        await counters.take("a", amount, limit=1, window_seconds=window)


@pytest.mark.parametrize("name", ["", "x" * 201])
async def test_a_name_has_a_length(resources: Resources, name: str) -> None:
    with pytest.raises(ValueError, match="1 to 200 characters"):
        await counters.add(name)


@ON_ALL
async def test_windows_that_have_ended_are_deleted(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "PRUNE_CHANCE", 1)
    await counters.add("for ever")
    for number in range(5):
        await counters.take(f"short {number}", 1, limit=1, window_seconds=0.05)
    await asyncio.sleep(0.1)
    await counters.take("long", 1, limit=1, window_seconds=60)
    async with resources.database.sessions() as session:
        assert set(await session.scalars(select(Counter.name))) == {"for ever", "long"}
        assert await session.scalar(select(func.count()).select_from(Counter)) == 2

"""Locks: who gets them, for how long, and what somebody who has lost one is told."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, text, update

from tests.conftest import make_settings
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import APIException
from xumi.kernel.locks import Held, Lock, LockNotAvailable, lock
from xumi.kernel.log import capture
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


async def steal(resources: Resources) -> None:
    """What another holder does when this one's time is over."""
    async with resources.database.sessions() as session, session.begin():
        await session.execute(update(Lock).values(token=Lock.token + 1))


@ON_ALL
async def test_one_holds_it_and_the_token_grows(resources: Resources) -> None:
    tokens = []
    for _ in range(3):
        async with lock("a") as held:
            tokens.append(held.token)
            with pytest.raises(LockNotAvailable) as refused:
                async with lock("a", timeout_seconds=0):
                    pass
            assert (refused.value.code.number, refused.value.headers["Retry-After"]) == (50304, "1")
            assert "'a'" in str(refused.value)
            async with lock("A", timeout_seconds=0) as other:
                assert other.name == "A"
    assert tokens == [1, 2, 3]


async def test_the_next_one_waits_for_it(resources: Resources) -> None:
    order: list[str] = []

    async def follow() -> None:
        async with lock("a", timeout_seconds=30):
            order.append("second")

    async with asyncio.TaskGroup() as group, lock("a"):
        group.create_task(follow())
        await asyncio.sleep(0.2)
        order.append("first")
    assert order == ["first", "second"]


@ON_ALL
async def test_many_at_once_take_turns(resources: Resources) -> None:
    inside, tokens = 0, []

    async def work() -> None:
        nonlocal inside
        async with lock("new", timeout_seconds=30) as held:
            inside += 1
            assert inside == 1
            tokens.append(held.token)
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(work())
    assert tokens == list(range(1, 11))


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError])
async def test_it_is_free_after_an_error(resources: Resources, error: type[BaseException]) -> None:
    with pytest.raises(error):
        async with lock("a"):
            raise error
    async with lock("a", timeout_seconds=0) as held:
        assert held.token == 2


async def test_it_is_renewed_while_the_block_runs(resources: Resources) -> None:
    async with lock("a", ttl_seconds=0.6):
        await asyncio.sleep(1.5)
        with pytest.raises(LockNotAvailable):
            async with lock("a", timeout_seconds=0):
                pass


async def test_one_who_died_is_waited_for_until_his_time_is_over(resources: Resources) -> None:
    async with resources.database.sessions() as session, session.begin():
        held = lock("a", ttl_seconds=0.5)
        dead = await held.__aenter__()
        await session.rollback()
    for task in asyncio.all_tasks():
        if task.get_name() == "renew lock a":
            task.cancel()
    async with lock("a", timeout_seconds=30) as mine:
        assert mine.token == dead.token + 1
    # Whoever is late gives nothing back that is not his.
    with capture() as lines:
        await held.__aexit__(None, None, None)
    assert not lines


@ON_ALL
async def test_who_has_lost_it_is_told_inside_the_transaction(resources: Resources) -> None:
    async with lock("a", ttl_seconds=30) as held:
        async with unit_of_work() as work:
            await held.check(work.session)
        await steal(resources)
        with pytest.raises(LockNotAvailable):
            await write_checked(held)
    async with resources.database.sessions() as session:
        assert await session.scalar(select(Lock.token)) == 2


async def write_checked(held: Held) -> None:
    async with unit_of_work() as work:
        await held.check(work.session)


async def test_the_log_tells_of_a_lock_that_was_lost(resources: Resources) -> None:
    with capture() as lines:
        async with lock("a", ttl_seconds=0.3):
            await steal(resources)
            await asyncio.sleep(0.5)
    assert any(line["message"] == "a lock was lost before its holder was done" for line in lines)


async def test_a_database_that_fails_is_no_error_of_the_block(resources: Resources) -> None:
    with capture() as lines:
        async with lock("a", ttl_seconds=0.3):
            async with resources.database.engine.begin() as connection:
                await connection.execute(text("ALTER TABLE kernel_lock RENAME TO t_elsewhere"))
            await asyncio.sleep(0.5)
    said = {line["message"] for line in lines}
    assert said == {"a lock could not be renewed", "a lock could not be released"}


async def test_a_lock_is_not_taken_inside_a_transaction(resources: Resources) -> None:
    async with unit_of_work() as work:
        await work.session.execute(text("SELECT 1"))
        with pytest.raises(RuntimeError, match="before the transaction begins"):
            async with lock("a"):
                pass


@pytest.mark.parametrize("name", ["", "x" * 201])
async def test_a_name_has_a_length(resources: Resources, name: str) -> None:
    with pytest.raises(ValueError, match="1 to 200 characters"):
        async with lock(name):
            pass


async def test_it_works_outside_any_work(resources: Resources) -> None:
    async with lock("x" * 200, resources=resources) as held:
        assert held.token == 1
    assert issubclass(LockNotAvailable, APIException)

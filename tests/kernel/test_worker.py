"""Chores: woken by this process and by others, kept going through failures, and stopped in order."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from tests.conftest import make_settings
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.resources import Resources
from xumi.kernel.worker import Worker


class Counting:
    """Counts its steps; fails in the first few if told to."""

    topic = "counting"

    def __init__(self, failures: int = 0, more: int = 0) -> None:
        self.steps, self.failures, self.more = 0, failures, more
        self.stepped = asyncio.Event()
        self.stopped = False

    async def step(self) -> float | None:
        self.steps += 1
        self.stepped.set()
        if self.steps <= self.failures:
            raise ConnectionError("planted")
        return 0 if self.steps <= self.more else None

    async def stop(self) -> None:
        self.stopped = True

    async def reach(self, steps: int) -> None:
        """Wait until there were so many steps."""
        async with asyncio.timeout(5):
            while self.steps < steps:
                self.stepped.clear()
                await self.stepped.wait()


@pytest.fixture
async def resources(database_url: str) -> AsyncIterator[Resources]:
    """Two processes would each have one; so do these two objects."""
    resources = Resources(make_settings(database_url))
    await resources.start()
    yield resources
    await resources.close()


async def _started(resources: Resources, chore: Counting) -> Worker:
    worker = Worker(resources, [chore])
    worker.start()
    async with asyncio.timeout(5):
        await chore.stepped.wait()
    return worker


async def test_a_chore_is_woken_by_its_topic_only(resources: Resources) -> None:
    chore = Counting()
    worker = await _started(resources, chore)
    # The first look at what other processes do wakes everybody once.
    await asyncio.sleep(0.5)
    steps = chore.steps
    resources.notifier.wake("another")
    await asyncio.sleep(0.05)
    assert chore.steps == steps
    resources.notifier.wake("counting")
    await chore.reach(steps + 1)
    await worker.stop()
    assert chore.stopped


async def test_what_another_process_announces_wakes(resources: Resources, database_url: str) -> None:
    chore = Counting()
    worker = await _started(resources, chore)
    await asyncio.sleep(0.5)
    other = Resources(make_settings(database_url))
    with other.context("other"):
        async with unit_of_work() as work:
            await work.session.execute(text("UPDATE account_user SET epoch = epoch + 1"))
            other.notifier.announce_after(work, "counting")
            steps = chore.steps
            await asyncio.sleep(0.2)
            assert chore.steps == steps
    await chore.reach(steps + 1)
    await other.close()
    await other.database.close()
    await worker.stop()


async def test_more_work_is_done_at_once(resources: Resources) -> None:
    chore = Counting(more=50)
    worker = await _started(resources, chore)
    async with asyncio.timeout(5):
        while chore.steps <= 50:
            await asyncio.sleep(0)
    await worker.stop()


async def test_a_failure_does_not_end_the_chore(resources: Resources) -> None:
    chore = Counting(failures=1)
    worker = await _started(resources, chore)
    await chore.reach(2)
    await worker.stop()


async def test_nothing_waits_after_a_stop(resources: Resources) -> None:
    worker = await _started(resources, Counting())
    before = asyncio.all_tasks()
    async with asyncio.timeout(2):
        await worker.stop()
    assert {t.get_name() for t in before - asyncio.all_tasks()} >= {"chore counting"}

"""Nothing is lost and nothing counts twice: several workers, workers that die, stop, or were taken for dead; cancelling."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.conftest import make_settings
from tests.kernel.jobs import sample
from tests.kernel.jobs.process import worker
from tests.kernel.jobs.sample import job_row, open_jobs, titles, until_ended, working
from xumi.kernel import clock
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.jobs import queue
from xumi.kernel.jobs.runner import JobRunner
from xumi.kernel.resources import Resources
from xumi.kernel.worker import Worker


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Resources]:
    """What another process holds."""
    resources = Resources(make_settings(database_url))
    await resources.start()
    yield resources
    await resources.close()


async def _begun() -> None:
    async with asyncio.timeout(10):
        await sample.began.wait()


async def _until(job_id: str, state: str) -> None:
    async with asyncio.timeout(10):
        while (await job_row(job_id)).state != state:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_two_workers_do_nothing_twice(resources: Resources, other: Resources) -> None:
    expected = [f"{number:03d}" for number in range(150)]
    async with unit_of_work():
        for title in expected:
            await sample.put_up.enqueue(title=title)
            await sample.nothing.enqueue()
    async with working(resources), working(other):
        await until_ended()
    assert await titles() == expected


@pytest.mark.parametrize("writes_first", [False, True])
async def test_a_stop_hands_back_what_has_not_ended(
    database_url: str, resources: Resources, writes_first: bool
) -> None:
    stopping = Resources(make_settings(database_url, drain_seconds=0.2))
    async with working(stopping):
        async with unit_of_work():
            job_id = await sample.wait.enqueue(writes_first=writes_first)
        await _begun()
    await stopping.database.close()
    row = await job_row(job_id)
    assert (row.state, row.attempt, row.lease) == ("queued", 0, None)
    assert row.due_at <= clock.now()
    assert await titles() == []
    sample.go_on.set()
    async with working(resources):
        await until_ended()
    assert (await job_row(job_id)).result == 1
    assert await titles() == ["waited"]


async def test_a_stop_lets_jobs_end(resources: Resources) -> None:
    async with unit_of_work():
        job_id = await sample.wait.enqueue()
    async with working(resources):
        await _begun()
        asyncio.get_running_loop().call_later(0.2, sample.go_on.set)
    assert (await job_row(job_id)).state == "done"


async def test_a_job_whose_worker_was_killed_runs_again(database_url: str, resources: Resources) -> None:
    async with unit_of_work():
        job_id = await sample.kill.enqueue(title="survived")
    with worker(database_url, 1, SAMPLE_KILLS="1") as process:
        assert await asyncio.to_thread(process.wait, 20) == 9
    assert (await job_row(job_id)).state == "running"
    with clock.travel(seconds=31):
        async with working(resources):
            await until_ended()
    row = await job_row(job_id)
    assert (row.state, row.attempt) == ("done", 2)
    assert await titles() == ["survived"]


async def test_a_job_that_kills_every_worker_fails_in_the_end(
    database_url: str, resources: Resources
) -> None:
    async with unit_of_work():
        job_id = await sample.kill.enqueue(title="never")
    for _ in range(4):
        with worker(database_url, 0.5, SAMPLE_KILLS="1") as process:
            assert await asyncio.to_thread(process.wait, 20) == 9
    with clock.travel(seconds=31):
        async with working(resources):
            await until_ended()
    row = await job_row(job_id)
    assert (row.state, row.attempt, row.error["type"]) == ("failed", 4, "WorkerDied")
    assert await titles() == []


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_a_worker_that_was_taken_for_dead_changes_nothing(
    resources: Resources, other: Resources
) -> None:
    async with unit_of_work():
        job_id = await sample.wait.enqueue(title="once")
    asleep = JobRunner(resources)
    await asleep.step()
    await _begun()
    # It hears nothing for a while, and another process takes the job.
    with clock.travel(seconds=31):
        awake = JobRunner(other)
        with other.context("other"):
            await awake.step()
            await awake.step()
        async with asyncio.timeout(10):
            while (await job_row(job_id)).attempt < 2:
                await asyncio.sleep(0.02)
        sample.go_on.set()
        await until_ended()
        await asleep.stop()
        await awake.stop()
    assert await titles() == ["once"]
    assert (await job_row(job_id)).result == 2


async def test_a_lease_that_is_renewed_is_not_taken(resources: Resources, other: Resources) -> None:
    async with unit_of_work():
        job_id = await sample.wait.enqueue()
    holder = JobRunner(resources)
    await holder.step()
    await _begun()
    with clock.travel() as journey:
        for _ in range(5):
            journey.move(seconds=20)
            await holder.step()
            async with unit_of_work() as work:
                assert await queue.rescue(work.session, {"sample.wait": 3}) == []
        sample.go_on.set()
        await until_ended()
        await holder.stop()
    assert (await job_row(job_id)).attempt == 1


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_a_queued_job_is_cancelled_at_once(resources: Resources) -> None:
    async with unit_of_work():
        job_id = await sample.put_up.enqueue(title="never")
    async with unit_of_work() as work:
        assert await queue.cancel(work.session, job_id)
        assert not await queue.cancel(work.session, job_id)
    assert (await job_row(job_id)).state == "cancelled"
    assert await open_jobs() == 0


async def test_a_running_job_is_cancelled_at_the_next_heartbeat_and_can_be_tried_again(
    database_url: str,
) -> None:
    lively = Resources(make_settings(database_url, job_lease_seconds=1))
    await lively.start()
    with lively.context("test"):
        worker = Worker(lively, [JobRunner(lively)])
        worker.start()
        async with unit_of_work():
            job_id = await sample.wait.enqueue(title="later")
        await _begun()
        async with unit_of_work() as work:
            assert await queue.cancel(work.session, job_id)
        await _until(job_id, "cancelled")
        assert await titles() == []
        sample.go_on.set()
        async with unit_of_work() as work:
            assert await queue.retry(work.session, job_id)
            assert not await queue.retry(work.session, job_id)
            queue.announce_after(work)
        await until_ended()
        await worker.stop()
        assert (await job_row(job_id)).state == "done"
        assert await titles() == ["later"]
    await lively.close()


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_progress_is_seen_while_the_job_runs(resources: Resources) -> None:
    async with working(resources):
        async with unit_of_work():
            job_id = await sample.tell.enqueue()
        async with asyncio.timeout(10):
            while (row := await job_row(job_id)).progress_done is None:
                await asyncio.sleep(0.02)
        assert (row.state, row.progress_done, row.progress_total, row.progress_message) == (
            "running",
            3,
            10,
            "three",
        )
        sample.go_on.set()
        await until_ended()


async def test_old_jobs_are_deleted(resources: Resources) -> None:
    async with working(resources):
        async with unit_of_work():
            old = await sample.nothing.enqueue()
            waiting = await sample.nothing.enqueue(delay_seconds=10**7)
        async with asyncio.timeout(10):
            while (await job_row(old)).state != "done":
                await asyncio.sleep(0.02)
    with clock.travel(seconds=31 * 86_400):
        runner = JobRunner(resources)
        await runner.step()
        await runner.stop()
        async with unit_of_work() as work:
            assert not await queue.retry(work.session, old)
            assert await queue.run_now(work.session, waiting)
        assert await open_jobs() == 1

"""Jobs: enqueued with the caller's transaction, run by a worker, their effects kept once, their ends visible."""

import asyncio
from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY

from tests.conftest import make_settings
from tests.kernel.jobs import sample
from tests.kernel.jobs.sample import (
    Letter,
    job_row,
    open_jobs,
    titles,
    until_ended,
    working,
)
from xumi.kernel import clock
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import StartError
from xumi.kernel.jobs import job, queue
from xumi.kernel.log import capture
from xumi.kernel.resources import Resources


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_a_job_runs_once_the_transaction_is_committed(resources: Resources) -> None:
    async with working(resources):
        async with unit_of_work():
            job_id = await sample.put_up.enqueue(title="hello")
        await until_ended()
    row = await job_row(job_id)
    assert (row.state, row.result, row.attempt, row.error) == ("done", "hello", 1, None)
    assert row.lease is None
    assert row.finished_at >= row.started_at >= row.created_at
    assert await titles() == ["hello"]


async def test_a_transaction_that_is_rolled_back_enqueues_nothing(resources: Resources) -> None:
    async with unit_of_work() as work:
        await sample.put_up.enqueue(title="never")
        await work.rollback()
    assert await open_jobs() == 0


async def test_outside_a_transaction_nothing_can_be_enqueued(resources: Resources) -> None:
    with pytest.raises(RuntimeError, match="in a transaction"):
        await sample.nothing.enqueue()


async def test_arguments_and_results_keep_their_types(resources: Resources) -> None:
    letter = Letter(to="Li", at=datetime(2026, 11, 21, tzinfo=UTC))
    async with working(resources):
        async with unit_of_work():
            job_id = await sample.echo.enqueue(letter=letter, copies=2)
        await until_ended()
    row = await job_row(job_id)
    assert (row.state, row.result) == ("done", [letter.model_dump(mode="json")] * 2), row.error


@pytest.mark.parametrize("arguments", [{}, {"title": 5}, {"title": "x", "more": 1}])
async def test_wrong_arguments_fail_at_the_caller(resources: Resources, arguments: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=r"sample\.put_up cannot take"):
        async with unit_of_work():
            await sample.put_up.enqueue(**arguments)


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_a_failure_undoes_what_was_written_and_is_tried_again(resources: Resources) -> None:
    async with working(resources) as runner:
        async with unit_of_work():
            job_id = await sample.fail.enqueue(title="undone")
        with clock.travel() as journey:
            for attempt in (1, 2):
                async with asyncio.timeout(10):
                    while (row := await job_row(job_id)).attempt < attempt or row.state != "queued":
                        await asyncio.sleep(0.02)
                due_in = (row.due_at - clock.now()).total_seconds()
                assert 60 * attempt * 0.5 - 5 < due_in < 60 * attempt * 1.5
                journey.move(seconds=due_in + 1)
                resources.notifier.wake(runner.topic)
            await until_ended()
    row = await job_row(job_id)
    assert (row.state, row.attempt) == ("failed", 3)
    assert row.error["type"] == "ConnectionError"
    assert "hunter2" not in str(row.error)
    assert "sample.py" in row.error["traceback"]
    assert await titles() == []


async def test_a_job_that_takes_too_long_is_ended(resources: Resources) -> None:
    async with working(resources):
        async with unit_of_work():
            job_id = await sample.slow.enqueue()
        await until_ended()
    row = await job_row(job_id)
    assert (row.state, row.error["type"]) == ("failed", "TimedOut")


async def test_a_delayed_job_waits_and_can_be_run_now(resources: Resources) -> None:
    async with unit_of_work():
        job_id = await sample.nothing.enqueue(delay_seconds=3600)
    async with working(resources) as runner:
        await asyncio.sleep(0.3)
        assert (await job_row(job_id)).state == "queued"
        async with unit_of_work() as work:
            assert await queue.run_now(work.session, job_id)
            queue.announce_after(work)
        await until_ended()
        assert runner.topic == "jobs"
    assert (await job_row(job_id)).state == "done"


async def test_smaller_priority_runs_first(database_url: str, resources: Resources) -> None:
    alone = Resources(make_settings(database_url, job_concurrency=1))
    async with unit_of_work():
        last = await sample.put_up.enqueue(title="later")
        first = await sample.urgent.enqueue(title="first")
    async with working(alone):
        await until_ended()
    await alone.database.close()
    assert (await job_row(first)).finished_at < (await job_row(last)).finished_at


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_a_unique_key_keeps_a_second_one_out_while_the_first_has_not_ended(
    resources: Resources,
) -> None:
    async with unit_of_work():
        first = await sample.only.enqueue(title="a")
        assert await sample.only.enqueue(title="a") == first
        assert await sample.only.enqueue(title="b") != first
        keyed = await sample.nothing.enqueue(unique_key="k")
    async with unit_of_work():
        assert await sample.only.enqueue(title="a") == first
        assert await sample.nothing.enqueue(unique_key="k") == keyed
        assert await sample.nothing.enqueue() != keyed
    async with working(resources):
        await until_ended()
    async with unit_of_work():
        assert await sample.only.enqueue(title="a") != first
    assert await titles() == ["a", "b"]


async def test_a_job_enqueues_another_in_its_own_transaction(resources: Resources) -> None:
    async with working(resources):
        async with unit_of_work():
            job_id = await sample.chain.enqueue(title="link")
        await until_ended()
    follower = await job_row((await job_row(job_id)).result)
    assert (follower.state, follower.request_id) == ("done", (await job_row(job_id)).request_id)
    assert await titles() == ["link"]


async def test_log_lines_carry_the_job_and_the_request_that_enqueued_it(resources: Resources) -> None:
    sample.go_on.set()
    with capture() as records:
        async with working(resources):
            with resources.context("somebody") as context:
                async with unit_of_work():
                    job_id = await sample.tell.enqueue()
            await until_ended()
    (line,) = [record for record in records if record["message"] == "telling"]
    assert (line["job"], line["job_id"], line["request_id"]) == ("sample.tell", job_id, context.request_id)
    assert any(r["message"] == "job done" and r["job_id"] == job_id for r in records)


def test_declarations_that_mean_nothing_are_refused() -> None:
    with pytest.raises(StartError, match="async def"):

        @job("bad.sync")
        def sync(session: object) -> None: ...

    with pytest.raises(StartError, match="needs a type"):

        @job("bad.untyped")
        async def untyped(session: object, x) -> None: ...  # type: ignore[no-untyped-def]

    with pytest.raises(StartError, match="is taken"):

        @job("bad.taken")
        async def taken(session: object, unique_key: str) -> None: ...

    with pytest.raises(StartError, match="exists already"):

        @job("sample.nothing")
        async def other(session: object) -> None: ...

    with pytest.raises(StartError, match="must look like"):

        @job("Bad Name")
        async def named(session: object) -> None: ...


async def test_runs_and_the_queue_are_counted(resources: Resources) -> None:
    def value(metric: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(metric, labels) or 0.0

    done = {"name": "sample.nothing", "outcome": "done"}
    before = value("xumi_jobs_total", **done)
    async with unit_of_work() as work:
        await sample.nothing.enqueue()
        # What no worker here knows stays in the queue.
        row = sample.nothing.row({}, None) | {"name": "elsewhere.unknown"}
        await queue.put(work.session, row)
    with clock.travel(seconds=100):
        async with working(resources):
            async with asyncio.timeout(10):
                while value("xumi_jobs_total", **done) == before or value("xumi_jobs_due") == 0:
                    await asyncio.sleep(0.02)
        assert value("xumi_jobs_oldest_due_seconds") > 99
    assert value("xumi_job_duration_seconds_count", name="sample.nothing") >= 1

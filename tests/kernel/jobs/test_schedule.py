"""The schedule: each tick once, in however many processes; missed ticks, pauses, and entries that come and go."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.conftest import make_settings
from tests.kernel.jobs import sample
from tests.kernel.jobs.sample import working
from xumi.kernel import clock
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.jobs import timetable
from xumi.kernel.jobs.models import JobRow, ScheduleEntry, ScheduleRun
from xumi.kernel.jobs.scheduler import Scheduler, list_entries, pause, resume
from xumi.kernel.jobs.timetable import Missed, schedule
from xumi.kernel.resources import Resources

START = datetime(2027, 1, 1, 0, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def declared(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The timetable of this test alone; the first database of a process imports modules, which declare theirs."""
    registry: dict[str, Any] = {}
    monkeypatch.setattr(timetable, "_registry", registry)
    return registry


@pytest.fixture(autouse=True)
def journey(resources: Resources) -> Iterator[clock.Journey]:
    """Half a minute past midnight."""
    with clock.travel(to=START) as journey:
        yield journey


def every_minute(missed: Missed = "run_once") -> None:
    schedule(cron="* * * * *", missed=missed)(sample.nothing)


async def runs() -> list[Any]:
    """The run log."""
    async with unit_of_work() as work:
        rows = await work.session.scalars(select(ScheduleRun).order_by(ScheduleRun.tick_at))
        return list(rows.all())


async def exhaust(scheduler: Scheduler) -> None:
    """Until nothing is due."""
    async with asyncio.timeout(20):
        while (wait := await scheduler.step()) is not None and wait <= 0.05:
            await asyncio.sleep(wait)


async def test_a_tick_makes_one_run_and_one_job_with_a_growing_token(
    resources: Resources, journey: clock.Journey
) -> None:
    every_minute()
    scheduler = Scheduler(resources)
    assert 20 < (await scheduler.step() or 0) <= 30
    for _ in range(3):
        journey.move(seconds=60)
        await exhaust(scheduler)
    async with unit_of_work() as work:
        jobs = (await work.session.scalars(select(JobRow).order_by(JobRow.due_at))).all()
    log = await runs()
    first = START.replace(second=0) + MINUTE
    assert [run.tick_at for run in log] == [first, first + MINUTE, first + 2 * MINUTE]
    assert [run.job_id for run in log] == [job.id for job in jobs]
    assert [job.fencing_token for job in jobs] == [run.fencing_token for run in log] == [1, 2, 3]
    async with working(resources):
        await sample.until_ended()


@pytest.mark.parametrize(
    ("missed", "late", "expected"),
    [
        ("run_once", 3600, 1),
        ("skip", 3600, 1),
        ("run_all", 3600, 60),
        ("run_once", 3650 - 30 + 86_400, 1),
    ],
)
async def test_ticks_that_nobody_ran_in_time(
    resources: Resources, journey: clock.Journey, missed: Missed, late: int, expected: int
) -> None:
    every_minute(missed)
    await exhaust(Scheduler(resources))
    journey.move(seconds=late)
    await exhaust(Scheduler(resources))
    log = await runs()
    assert len(log) == expected
    assert all(run.job_id is not None for run in log)
    assert clock.now() - log[-1].tick_at < MINUTE
    first = START.replace(second=0) + MINUTE
    assert (log[0].missed_from or log[0].tick_at) == first


async def test_skip_leaves_a_tick_out_that_is_long_past(resources: Resources, journey: clock.Journey) -> None:
    schedule(cron="0 * * * *", missed="skip")(sample.nothing)
    await exhaust(Scheduler(resources))
    journey.move(seconds=5400)
    await exhaust(Scheduler(resources))
    (run,) = await runs()
    assert (run.job_id, run.tick_at) == (None, START.replace(hour=1, second=0))
    journey.move(seconds=1800)
    await exhaust(Scheduler(resources))
    assert [run.job_id is None for run in await runs()] == [True, False]


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_several_processes_run_each_tick_once(
    database_url: str, resources: Resources, journey: clock.Journey
) -> None:
    every_minute("run_all")
    others = [Resources(make_settings(database_url)) for _ in range(3)]
    schedulers = [Scheduler(each) for each in (resources, *others)]
    await schedulers[0].step()
    journey.move(seconds=30 * 60)

    async def run(scheduler: Scheduler, process: Resources) -> None:
        with process.context("process"):
            await exhaust(scheduler)

    async with asyncio.timeout(30):
        await asyncio.gather(*map(run, schedulers, (resources, *others)))
    log = await runs()
    assert [run.fencing_token for run in log] == list(range(1, 31))
    async with unit_of_work() as work:
        ids = (await work.session.scalars(select(JobRow.id))).all()
    assert sorted(ids) == sorted(run.job_id for run in log)
    for each in others:
        await each.database.close()


async def test_a_pause_survives_a_restart_and_its_ticks_are_not_missed_ones(
    resources: Resources, journey: clock.Journey
) -> None:
    every_minute("run_all")
    await exhaust(Scheduler(resources))
    async with unit_of_work() as work:
        assert await pause(work.session, "sample.nothing")
        assert not await pause(work.session, "sample.unknown")
    journey.move(seconds=600)
    restarted = Scheduler(resources)
    assert await restarted.step() is None
    async with unit_of_work() as work:
        assert [entry.state for entry in await list_entries(work.session)] == ["paused"]
        assert await resume(work.session, "sample.nothing")
    await exhaust(restarted)
    assert await runs() == []
    journey.move(seconds=60)
    await exhaust(restarted)
    assert len(await runs()) == 1


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_entries_follow_the_code(
    resources: Resources, journey: clock.Journey, declared: dict[str, Any]
) -> None:
    every_minute()
    old = Scheduler(resources)
    await old.step()
    # A newer version has another time; the older process, which still runs, leaves it alone.
    schedule(cron="0 * * * *")(sample.nothing)
    newer = Scheduler(resources)
    await newer.step()
    every_minute()
    journey.move(seconds=120)
    assert await old.step() is None
    assert await runs() == []
    # A version without it: the entry is marked and stays.
    declared.clear()
    assert await Scheduler(resources).step() is None
    async with unit_of_work() as work:
        assert [entry.state for entry in await list_entries(work.session)] == ["vanished"]
    every_minute()
    await Scheduler(resources).step()
    async with unit_of_work() as work:
        (entry,) = await list_entries(work.session)
    assert (entry.state, entry.next_at) == ("active", START.replace(second=0) + 3 * MINUTE)


async def test_a_clock_that_lags_behind_runs_no_tick_again(
    resources: Resources, journey: clock.Journey
) -> None:
    every_minute()
    await exhaust(Scheduler(resources))
    journey.move(seconds=60)
    await exhaust(Scheduler(resources))
    # A process whose clock is a minute late declares it anew.
    journey.move(seconds=-60)
    async with unit_of_work() as work:
        await work.session.execute(update(ScheduleEntry).values(timing="as it was"))
    late = Scheduler(resources)
    await exhaust(late)
    journey.move(seconds=120)
    await exhaust(late)
    assert len({run.tick_at for run in await runs()}) == len(await runs()) == 2

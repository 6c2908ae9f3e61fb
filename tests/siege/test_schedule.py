"""The schedule under siege: every tick once, in four processes of which the busiest is killed again and again."""

import asyncio
import subprocess
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from tests.conftest import make_settings
from tests.kernel.jobs.process import start
from tests.siege import ticking
from tests.siege.record import record
from tests.siege.scale import on_databases, scaled
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.jobs.models import JobRow, ScheduleRun
from xumi.kernel.resources import Resources

pytestmark = [pytest.mark.siege, pytest.mark.timeout(600)]

PROCESSES = 4


async def ticks() -> int:
    """How many runs the log has."""
    async with unit_of_work() as work:
        return int(await work.session.scalar(select(func.count()).select_from(ScheduleRun)) or 0)


def close(process: "subprocess.Popen[str]") -> None:
    """Kill a process."""
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


async def busiest(processes: "list[subprocess.Popen[str]]", since: int) -> int:
    """The place in the list of the process that made most of the ticks after so many."""
    async with unit_of_work() as work:
        newest = select(JobRow.request_id).where(JobRow.fencing_token > since)
        # Each process signs the ticks that it makes with its own number.
        made = Counter((await work.session.scalars(newest)).all())
    counts = [made[str(process.pid)] for process in processes]
    return counts.index(max(counts))


@on_databases("sqlite")
async def test_every_tick_runs_once_while_the_busiest_process_is_killed(database_url: str) -> None:
    wanted, kills = scaled(1000), scaled(10)
    resources = Resources(make_settings(database_url))
    await resources.start()
    processes = [start(database_url, module=ticking.__name__) for _ in range(PROCESSES)]
    with resources.context("siege"):
        try:
            async with asyncio.timeout(300):
                for number in range(1, kills + 1):
                    before = await ticks()
                    while await ticks() < wanted * number // (kills + 1):
                        await asyncio.sleep(0.05)
                    place = await busiest(processes, before)
                    close(processes[place])
                    processes[place] = await asyncio.to_thread(start, database_url, module=ticking.__name__)
                while await ticks() < wanted:
                    await asyncio.sleep(0.05)
        finally:
            for process in processes:
                close(process)
        async with unit_of_work() as work:
            runs = (await work.session.scalars(select(ScheduleRun).order_by(ScheduleRun.tick_at))).all()
            jobs = Counter((await work.session.scalars(select(JobRow.id))).all())
            makers = Counter((await work.session.scalars(select(JobRow.request_id))).all())
    await resources.close()
    step = timedelta(seconds=ticking.EVERY_SECONDS)
    gaps = sum(later.tick_at - sooner.tick_at != step for sooner, later in pairwise(runs))
    without_job = sum(run.job_id not in jobs for run in runs)
    kind = database_url.partition(":")[0]
    figures = {"ticks": len(runs), "processes": PROCESSES, "kills": kills, "left_out": gaps}
    figures |= {"without_a_job": without_job, "jobs_too_many": len(jobs) - len(runs)}
    record(f"schedule-{kind}", figures | {"processes_that_ticked": len(makers)})
    assert [run.fencing_token for run in runs] == list(range(1, len(runs) + 1))
    assert (gaps, without_job, len(jobs)) == (0, 0, len(runs))
    assert len({run.tick_at for run in runs}) == len(runs) >= wanted

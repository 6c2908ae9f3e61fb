"""Jobs under siege: how many a second one worker ends, and none lost or counted twice while workers are killed."""

import asyncio
import random
import time
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text

from tests.conftest import make_settings
from tests.kernel.jobs import sample
from tests.kernel.jobs.process import start, worker
from tests.siege.record import record
from tests.siege.scale import on_databases, scaled
from xumi.kernel import clock
from xumi.kernel.context import current
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.ids import generate_key
from xumi.kernel.jobs.models import JobRow
from xumi.kernel.resources import Resources
from xumi.modules.poster.models import Poster

pytestmark = [pytest.mark.siege, pytest.mark.timeout(600)]

WORKERS = 3


async def enqueue(job: Any, count: int, **arguments: Any) -> None:
    """Many jobs, as `enqueue` would make them."""
    now = clock.now()
    row = {"name": job.name, "state": "queued", "priority": 0, "due_at": now, "created_at": now, "attempt": 0}
    rows = [
        {**row, "id": generate_key(), "arguments": job.encode({**arguments}), "cancel_requested": False}
        for _ in range(count)
    ]
    async with unit_of_work() as work:
        await work.session.execute(insert(JobRow.__table__), rows)
        current().resources.notifier.announce_after(work, "jobs")


async def states() -> Counter[str]:
    """How many jobs are in which state."""
    async with unit_of_work() as work:
        rows = await work.session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
        return Counter({state.value: count for state, count in rows})


async def left() -> int:
    """How many have not ended."""
    found = await states()
    return found["queued"] + found["running"]


async def test_empty_jobs_a_second(postgresql_url: str) -> None:
    count = scaled(20_000)
    resources = Resources(make_settings(postgresql_url))
    await resources.start()
    with resources.context("siege"), worker(postgresql_url, 30):
        await asyncio.sleep(1)
        began = time.monotonic()
        await enqueue(sample.nothing, count)
        put = time.monotonic()
        while await left():
            await asyncio.sleep(0.05)
        seconds = time.monotonic() - put
        found = await states()
    await resources.close()
    assert found == {"done": count}
    figures = {"jobs": count, "worker_processes": 1, "jobs_per_second": round(count / seconds)}
    record("jobs-throughput", figures | {"enqueue_seconds": round(put - began, 2)})


@on_databases("postgresql")
async def test_none_is_lost_and_none_counts_twice_while_workers_are_killed(database_url: str) -> None:
    kind = database_url.partition(":")[0]
    count, kills = scaled(5_000), scaled(50)
    resources = Resources(make_settings(database_url))
    await resources.start()
    dice = random.Random(1)
    workers = [start(database_url, 1) for _ in range(WORKERS)]
    with resources.context("siege"):
        try:
            for _ in range(kills):
                await enqueue(sample.put_up_slowly, count // kills, title="x")
                await asyncio.sleep(dice.uniform(0.05, 0.5))
                victim = dice.choice(workers)
                victim.kill()
                victim.wait()
                assert victim.stdout is not None
                victim.stdout.close()
                workers[workers.index(victim)] = await asyncio.to_thread(start, database_url, 1)
            async with asyncio.timeout(120):
                while await left():
                    await asyncio.sleep(0.1)
        finally:
            for process in workers:
                process.kill()
                process.wait()
                assert process.stdout is not None
                process.stdout.close()
        found = await states()
        async with unit_of_work() as work:
            effects = await work.session.scalar(select(func.count()).select_from(Poster))
            # One job writes one row with its own id as the title.
            once = await work.session.scalar(select(func.count(Poster.title.distinct())))
            again = await work.session.scalar(text("SELECT count(*) FROM job WHERE attempt > 1"))
    await resources.close()
    total = count // kills * kills
    figures = {"jobs": total, "workers": WORKERS, "kills": kills, "begun_more_than_once": again}
    lost = total - found["done"]
    record(
        f"jobs-kills-{kind}", figures | {"lost": lost, "effects_twice": int(effects or 0) - int(once or 0)}
    )
    assert found == {"done": total}
    assert (effects, once) == (total, total)

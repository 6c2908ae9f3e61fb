"""A process that only watches the clock: `python -m tests.siege.ticking URL`; it says `works` and runs until it is killed."""

import asyncio
import os
import sys

from sqlalchemy.ext.asyncio import AsyncSession

from tests.conftest import make_settings
from xumi.kernel import log
from xumi.kernel.context import Context, enter
from xumi.kernel.jobs import job, schedule
from xumi.kernel.jobs.scheduler import TOPIC, Scheduler
from xumi.kernel.resources import Resources

EVERY_SECONDS = 0.05


async def tick(session: AsyncSession) -> None:
    """What runs; here it is only enqueued."""


async def _watch(url: str) -> None:
    schedule(every_seconds=EVERY_SECONDS, missed="run_all")(job("siege.tick")(tick))
    resources = Resources(make_settings(url))
    await resources.start()
    resources.notifier.start()
    scheduler = Scheduler(resources)
    print("works", flush=True)
    while True:
        # As the worker does, under a name by which the test knows who made a tick.
        with enter(Context(resources, str(os.getpid()))):
            wait = await scheduler.step()
        await resources.notifier.wait(TOPIC, wait or 0)


if __name__ == "__main__":
    log.configure("CRITICAL", "json")
    asyncio.run(_watch(sys.argv[1]))

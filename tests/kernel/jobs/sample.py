"""Jobs of the tests: what they write is in the table of posters."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.session import unit_of_work
from xumi.kernel.ids import generate_key
from xumi.kernel.jobs import job, progress, running_job
from xumi.kernel.jobs.models import JobRow
from xumi.kernel.jobs.runner import JobRunner
from xumi.kernel.log import logger
from xumi.kernel.resources import Resources
from xumi.kernel.worker import Worker
from xumi.modules.poster.models import Poster

began = asyncio.Event()
"""A job of this process says that it has begun."""

go_on = asyncio.Event()
"""Lets it go on."""


class Letter(BaseModel):
    """What a job can be given and can return."""

    to: str
    at: datetime


def poster(title: str) -> Poster:
    return Poster(id=generate_key(), title=title, content="x", author_id="0" * 26, author="job")


@job("sample.put_up")
async def put_up(session: AsyncSession, title: str) -> str:
    """Writes."""
    session.add(poster(title))
    return title


@job("sample.nothing")
async def nothing(session: AsyncSession) -> None:
    """Does nothing."""


@job("sample.echo")
async def echo(session: AsyncSession, letter: Letter, copies: int = 1) -> list[Letter]:
    """Gives back what it is given."""
    return [letter] * copies


@job("sample.fail", retries=2, backoff_seconds=60)
async def fail(session: AsyncSession, title: str) -> None:
    """Writes and fails."""
    session.add(poster(title))
    await session.flush()
    raise ConnectionError("no way, password=hunter2")


@job("sample.slow", timeout_seconds=0.05, retries=0)
async def slow(session: AsyncSession) -> None:
    """Takes too long."""
    await asyncio.sleep(30)


@job("sample.wait")
async def wait(session: AsyncSession, title: str = "waited", writes_first: bool = False) -> int:
    """Waits for the test, then writes."""
    if writes_first:
        session.add(poster(title))
        await session.flush()
    began.set()
    await go_on.wait()
    if not writes_first:
        session.add(poster(title))
    return running_job().attempt


@job("sample.tell")
async def tell(session: AsyncSession) -> None:
    """Tells how far it is."""
    logger.info("telling")
    await progress(3, 10, "three")
    began.set()
    await go_on.wait()


@job("sample.only", unique=True)
async def only(session: AsyncSession, title: str) -> None:
    """One at a time for each title."""
    session.add(poster(title))


@job("sample.urgent", priority=-1)
async def urgent(session: AsyncSession, title: str) -> None:
    """Before the others."""
    session.add(poster(title))


@job("sample.chain")
async def chain(session: AsyncSession, title: str) -> str:
    """Enqueues another."""
    return await put_up.enqueue(title=title)


@job("sample.kill", retries=3)
async def kill(session: AsyncSession, title: str) -> None:
    """Takes its worker along, where the environment says so."""
    session.add(poster(title))
    await session.flush()
    if os.environ.get("SAMPLE_KILLS"):
        os._exit(9)


@job("sample.put_up_slowly", retries=100)
async def put_up_slowly(session: AsyncSession, title: str) -> None:
    """Writes one row with the job's id as its title, and takes some time before and after."""
    await asyncio.sleep(0.02)
    session.add(poster(running_job().id))
    await session.flush()
    await asyncio.sleep(0.005)


async def job_row(job_id: str) -> Any:
    """The row of a job as it is now."""
    async with unit_of_work() as work:
        return (await work.session.execute(select(JobRow).where(JobRow.id == job_id))).scalar_one()


async def titles() -> list[str]:
    """What the jobs have written, sorted."""
    async with unit_of_work() as work:
        return sorted((await work.session.scalars(select(Poster.title))).all())


async def open_jobs() -> int:
    """How many jobs have not ended."""
    async with unit_of_work() as work:
        statement = select(func.count()).where(JobRow.state.in_(["queued", "running"]))
        return int(await work.session.scalar(statement) or 0)


async def until_ended(limit_seconds: float = 20) -> None:
    """Wait until no job is queued or running."""
    async with asyncio.timeout(limit_seconds):
        while await open_jobs():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def working(resources: Resources) -> AsyncIterator[JobRunner]:
    """A worker that runs jobs."""
    runner = JobRunner(resources)
    worker = Worker(resources, [runner])
    worker.start()
    try:
        yield runner
    finally:
        await worker.stop()

"""What can be seen of jobs, and done with them."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth.principal import Principal
from xumi.kernel.context import current
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_one, get_one, primary
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.jobs import queue
from xumi.kernel.jobs.models import ENDS, JobRow
from xumi.modules.job.schemas import JobId, JobOut, JobProgress, JobQuery, JobSummary

SEE_ALL = "job:list"

# How often a stream looks, and how long it lasts: browsers connect again by themselves, with a token that is valid then.
LOOK_SECONDS = 0.5
STREAM_SECONDS = 300.0
_QUIET_SECONDS = 15.0

_FILTERS = {
    JobRow.name: FilterTypeEnum.Equals,
    JobRow.state: FilterTypeEnum.Equals,
    JobRow.created_by: FilterTypeEnum.Equals,
}
_SORTABLE = {"id": JobRow.id, "due_at": JobRow.due_at, "finished_at": JobRow.finished_at}


async def list_jobs(query: JobQuery) -> PaginateResponse[JobSummary]:
    """The jobs that are wanted, the newest first."""
    statement = add_filters(select(JobRow), query, _FILTERS)
    return await paginate_query(statement, query, JobSummary, sortable=_SORTABLE, default_sort="-id")


async def get_job(principal: Principal, job_id: str) -> JobOut:
    """One job, of the caller's own or, for who may list them, of anybody.

    Raises:
        APIException: NOT_FOUND, also where it is somebody else's.
    """
    with primary():
        found = await get_one(select(JobRow).where(JobRow.id == job_id), JobOut)
    if found.created_by != principal.user_id and not current().resources.access.allows(principal, SEE_ALL):
        raise APIException(APICode.NOT_FOUND)
    if found.error is not None:
        found.error = {name: found.error[name] for name in ("type", "message")}
    return found


async def watch(principal: Principal, job_id: str) -> AsyncIterator[bytes]:
    """Server-sent events of a job's state and progress, one at once and one for each change, until it ends.

    Raises:
        APIException: NOT_FOUND, before the first event.
    """
    await get_job(principal, job_id)
    return _events(job_id)


async def _events(job_id: str) -> AsyncIterator[bytes]:
    resources = current().resources
    statement = select(JobRow).where(JobRow.id == job_id)
    end = clock.monotonic() + STREAM_SECONDS
    said, said_at = b"", 0.0
    while not resources.draining and clock.monotonic() < end:
        with primary():
            found = await fetch_one(statement, JobProgress)
        if found is None:
            return
        told = msgspec.json.encode({name: getattr(found, name) for name in JobProgress.model_fields})
        if told != said:
            said, said_at = told, clock.monotonic()
            yield b"event: job\ndata: " + told + b"\n\n"
        elif clock.monotonic() - said_at > _QUIET_SECONDS:
            # A proxy would close a connection on which nothing is said.
            said_at = clock.monotonic()
            yield b": still here\n\n"
        if found.state in ENDS:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def retry(session: AsyncSession, job_id: str) -> None:
    """Queue a failed or cancelled job again.

    Raises:
        APIException: NOT_FOUND; CONFLICT where it is neither failed nor cancelled.
    """
    if not await queue.retry(session, job_id):
        await _refuse(job_id)
    if (work := current().unit_of_work) is not None:
        queue.announce_after(work)


async def cancel(session: AsyncSession, job_id: str) -> None:
    """End a job that has not ended.

    Raises:
        APIException: NOT_FOUND; CONFLICT where it has ended.
    """
    if not await queue.cancel(session, job_id):
        await _refuse(job_id)


async def _refuse(job_id: str) -> None:
    await get_one(select(JobRow.id).where(JobRow.id == job_id), JobId)
    raise APIException(APICode.CONFLICT)

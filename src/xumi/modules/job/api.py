"""Endpoints of jobs."""

from typing import Annotated

from fastapi import Query
from starlette.responses import StreamingResponse

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.job import service
from xumi.modules.job.schemas import JobOut, JobQuery, JobSummary

router = get_router(prefix="/api/v1/jobs", tags=["jobs"])

_EVENTS = (
    'event: job\ndata: {"id":"01KA4S0Z7Y3T5C1B9FQ8H2MKVD","state":"running","attempt":1,"progress_done":100,'
    '"progress_total":250,"progress_message":"sending letters"}\n\n'
)


@router.get("", permission="job:list")
async def list_jobs(query: Annotated[JobQuery, Query()]) -> PaginateResponse[JobSummary]:
    """A page of everybody's jobs, the newest first."""
    return await service.list_jobs(query)


@router.get("/{job_id}", permission="job:read")
async def get_job(principal: CurrentPrincipal, job_id: str) -> JobOut:
    """A job that the caller enqueued; with `job:list`, anybody's."""
    return await service.get_job(principal, job_id)


@router.get(
    "/{job_id}/events",
    permission="job:read",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"example": _EVENTS}}}},
)
async def watch_job(principal: CurrentPrincipal, job_id: str) -> StreamingResponse:
    """State and progress of such a job as server-sent events named `job`, until it ends."""
    return StreamingResponse(await service.watch(principal, job_id), media_type="text/event-stream")


@router.post("/{job_id}/retry", permission="job:retry", status_code=204)
async def retry_job(session: Session, job_id: str) -> None:
    """Queue a failed or cancelled job again."""
    await service.retry(session, job_id)


@router.post("/{job_id}/cancel", permission="job:cancel", status_code=204)
async def cancel_job(session: Session, job_id: str) -> None:
    """Take a queued job back now; end a running one within some seconds."""
    await service.cancel(session, job_id)

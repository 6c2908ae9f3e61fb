"""Work that is done later, by a worker: enqueued in the caller's transaction, run at least once, its effects kept once.

@job(retries=5, timeout_seconds=60)
async def send_digest(session: AsyncSession, poster_id: str) -> int: ...

await send_digest.enqueue(poster_id=poster.id)
"""

from xumi.kernel.jobs.declaration import Job, find_job, job, jobs, progress, running_job
from xumi.kernel.jobs.timetable import schedule

__all__ = ["Job", "find_job", "job", "jobs", "progress", "running_job", "schedule"]

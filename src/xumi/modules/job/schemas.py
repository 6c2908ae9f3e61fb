"""What goes in and out of the job endpoints."""

from datetime import datetime
from typing import Any

from pydantic import Field

from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.jobs.models import JobState
from xumi.kernel.schema import SchemaBase


class JobQuery(PaginateRequest):
    """Which jobs are wanted."""

    name: str | None = Field(
        None, max_length=100, description="The job's name, such as `poster.send_digest`."
    )
    state: JobState | None = Field(None, description="Where it is.")
    created_by: str | None = Field(None, max_length=26, description="Id of the user who enqueued it.")


class JobProgress(SchemaBase):
    """How far a job is."""

    id: str
    state: JobState
    attempt: int = Field(description="How many times it was begun.")
    progress_done: int | None
    progress_total: int | None
    progress_message: str | None


class JobSummary(JobProgress):
    """A job in a list."""

    name: str
    priority: int
    due_at: datetime
    created_at: datetime
    created_by: str | None
    started_at: datetime | None
    finished_at: datetime | None


class JobOut(JobSummary):
    """A job with what became of it."""

    result: Any = Field(description="What the job returned.")
    error: dict[str, Any] | None = Field(description="Type and message of what it failed with last.")


class JobId(SchemaBase):
    """That a job is there."""

    id: str

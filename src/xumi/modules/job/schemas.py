"""What goes in and out of the job endpoints."""

from typing import Any

from pydantic import Field

from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.jobs.models import JobState
from xumi.kernel.schema import Moment, RowId, SchemaBase


class JobQuery(PaginateRequest):
    """Which jobs are wanted."""

    name: str | None = Field(
        None, max_length=100, description="The job's name, such as `poster.send_digest`."
    )
    state: JobState | None = Field(None, description="Where it is.")
    created_by: str | None = Field(None, max_length=26, description="Id of the user who enqueued it.")


class JobProgress(SchemaBase):
    """How far a job is."""

    id: RowId
    state: JobState = Field(examples=["done"])
    attempt: int = Field(description="How many times it was begun.", examples=[1])
    progress_done: int | None = Field(examples=[250])
    progress_total: int | None = Field(examples=[250])
    progress_message: str | None = Field(examples=["sending letters"])


class JobSummary(JobProgress):
    """A job in a list."""

    name: str = Field(examples=["poster.send_digest"])
    priority: int = Field(examples=[100])
    due_at: Moment
    created_at: Moment
    created_by: RowId | None
    started_at: Moment | None
    finished_at: Moment | None


class JobOut(JobSummary):
    """A job with what became of it."""

    result: Any = Field(description="What the job returned.", examples=[{"sent": 250}])
    error: dict[str, Any] | None = Field(
        description="Type and message of what it failed with last.", examples=[None]
    )


class JobId(SchemaBase):
    """That a job is there."""

    id: RowId

"""The tables of jobs and of the schedule."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.model import ModelBase, UtcDateTime

NAME_LENGTH = 100
UNIQUE_KEY_LENGTH = 200
MESSAGE_LENGTH = 200


class JobState(enum.StrEnum):
    """Where a job is. The last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDS = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class JobRow(ModelBase):
    """One job: what to do, and what became of it."""

    __tablename__ = "job"

    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    state: Mapped[JobState]
    priority: Mapped[int] = mapped_column(Integer)
    """Smaller runs first."""
    due_at: Mapped[datetime]
    arguments: Mapped[dict[str, Any]]
    unique_key: Mapped[str | None] = mapped_column(String(UNIQUE_KEY_LENGTH))
    """Set while the job is queued or running only."""
    attempt: Mapped[int] = mapped_column(Integer)
    """How many times it was begun."""
    lease: Mapped[str | None] = mapped_column(String(26))
    """Who may end the run that is under way: made anew by each claim."""
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested: Mapped[bool]
    created_at: Mapped[datetime]
    created_by: Mapped[str | None] = mapped_column(String(26))
    request_id: Mapped[str | None] = mapped_column(String(64))
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    result: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    progress_done: Mapped[int | None]
    progress_total: Mapped[int | None]
    progress_message: Mapped[str | None] = mapped_column(String(MESSAGE_LENGTH))
    fencing_token: Mapped[int | None]
    """Of a scheduled job: greater than that of every tick before."""

    __table_args__ = (
        UniqueConstraint("name", "unique_key"),
        # What is claimed next, in its order.
        Index("ix_job_claim", "state", "priority", "due_at", "id"),
        Index("ix_job_state_due_at", "state", "due_at"),
    )


class ScheduleEntry(ModelBase):
    """A job that runs by the clock, as the code declares it, and when it runs next."""

    __tablename__ = "schedule_entry"

    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    timing: Mapped[str] = mapped_column(String(200))
    """The declaration as text; a process advances only what it would have declared alike."""
    next_at: Mapped[datetime]
    paused: Mapped[bool]
    vanished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a process started whose code does not declare it."""
    fencing_token: Mapped[int]


class ScheduleRun(ModelBase):
    """One tick of an entry: the run log."""

    __tablename__ = "schedule_run"

    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    tick_at: Mapped[datetime]
    fencing_token: Mapped[int]
    job_id: Mapped[str | None] = mapped_column(String(26))
    """None where the tick was missed and left out."""
    missed_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The ticks from here up to this one were missed and left out."""
    created_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (UniqueConstraint("name", "tick_at"),)

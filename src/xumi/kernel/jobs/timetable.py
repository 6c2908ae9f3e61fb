"""When scheduled jobs run: what `@schedule` declares, and the arithmetic of ticks.

    @schedule(cron="0 3 * * *", timezone="Asia/Shanghai")
    @job()
    async def send_digests(session: AsyncSession) -> None: ...

Where the clock is put forward, a time of the day that is skipped runs when the skip ends; where it is put back, a time that comes
twice runs once. Expressions with `*` or `*/n` in the minute or hour follow the elapsed time instead. So does Debian's cron.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from xumi.kernel.errors import StartError
from xumi.kernel.jobs.declaration import Job

Missed = Literal["skip", "run_once", "run_all"]

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a job runs: by a cron expression in a time zone, or every so many seconds, counted from 1970.

    Attributes:
        cron: five fields; None for an interval.
        timezone: the zone whose wall clock the expression means.
        every: the interval; None for a cron expression.
        missed: what becomes of ticks that nobody ran in time.
    """

    cron: str | None
    timezone: str
    every: timedelta | None
    missed: Missed

    def __str__(self) -> str:
        told = f"every {self.every}" if self.every is not None else f"cron {self.cron} {self.timezone}"
        return f"{told}, missed: {self.missed}"

    def after(self, point: datetime) -> datetime:
        """The first tick later than a point in time."""
        if self.every is not None:
            return _EPOCH + ((point - _EPOCH) // self.every + 1) * self.every
        return self._find(point, reverse=False)

    def last_until(self, point: datetime) -> datetime:
        """The last tick up to a point in time, this included."""
        if self.every is not None:
            return _EPOCH + (point - _EPOCH) // self.every * self.every
        return self._find(point + _MICROSECOND, reverse=True)

    def _find(self, point: datetime, *, reverse: bool) -> datetime:
        from cronsim import CronSim

        ticks = CronSim(str(self.cron), point.astimezone(ZoneInfo(self.timezone)), reverse=reverse)
        for tick in ticks:
            # In an hour that comes twice the wall clock alone does not tell which is later.
            if (tick > point) != reverse and tick != point:
                return tick.astimezone(UTC)
        raise ValueError(f"{self.cron!r} has no tick within 50 years.")


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A job and when it runs."""

    job: Job[Any]
    timing: Timing


_registry: dict[str, Scheduled] = {}


def schedule(
    *,
    cron: str | None = None,
    timezone: str = "UTC",
    every_seconds: float | None = None,
    missed: Missed = "run_once",
) -> Callable[[Job[Any]], Job[Any]]:
    """Let a job run by the clock, each tick once, however many processes there are.

    Args:
        cron: minute, hour, day of month, month, day of week; with six fields the first is the second.
        timezone: whose wall clock the expression means, such as `Asia/Shanghai`.
        every_seconds: runs at every multiple of this since 1970, instead of `cron`.
        missed: when no worker was there in time: `skip` runs the last tick if it is at most a minute late, `run_once` runs the
            last however late it is, `run_all` runs each of them.

    Raises:
        StartError: the declaration means nothing, or the job cannot run without arguments.
    """

    def declare(job: Job[Any]) -> Job[Any]:
        if not isinstance(job, Job):
            raise StartError(f"@schedule stands above @job, not on {job!r}.")
        if (cron is None) == (every_seconds is None):
            raise StartError(f"@schedule of {job.name}: give either cron or every_seconds.")
        if every_seconds is not None and every_seconds < 0.001:
            raise StartError(f"@schedule of {job.name}: every_seconds must be 0.001 at least.")
        timing = Timing(
            cron, timezone, None if every_seconds is None else timedelta(seconds=every_seconds), missed
        )
        try:
            job.encode({})
            timing.after(_EPOCH)
        except Exception as error:
            raise StartError(f"@schedule of {job.name}: {error}") from None
        _registry[job.name] = Scheduled(job, timing)
        return job

    return declare


def timetable() -> dict[str, Scheduled]:
    """What the features that are loaded have declared, by the job's name."""
    return dict(_registry)

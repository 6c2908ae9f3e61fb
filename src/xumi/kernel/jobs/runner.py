"""The chore that runs jobs: claims what is due, runs it beside each other, notes how it ended, and keeps the leases alive.

All words with the queue are one short transaction for each step, on connections of the runner's own: jobs that hold all
connections of a pool cannot keep the leases from being renewed. Steps follow each other, so nothing here is done twice at once.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from pydantic import BaseModel
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock, metrics
from xumi.kernel.context import Context, enter
from xumi.kernel.db.engine import Database
from xumi.kernel.db.session import UnitOfWork
from xumi.kernel.jobs import queue
from xumi.kernel.jobs.declaration import Job, RunningJob, jobs
from xumi.kernel.jobs.models import JobState
from xumi.kernel.jobs.queue import Claimed, Ending
from xumi.kernel.log import logger
from xumi.kernel.log.clean import clean_text
from xumi.kernel.worker import LONGEST_WAIT_SECONDS

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources

# A lease lives through so many heartbeats without one.
_HEARTBEATS = 6
_PROGRESS_SECONDS = 0.5
_MEASURE_SECONDS = 15.0
_PRUNE_SECONDS = 3600.0
_LONGEST_BACKOFF_SECONDS = 3600.0
_MAX_TRACEBACK = 4_000
_MAX_MESSAGE = 1_000
# Jobs that take less than this on average are claimed ahead, so many for each that can run.
_QUICK_SECONDS = 0.02
_AHEAD = 8
# Who has claimed ahead and then found slow ones gives the rest back to others.
_AHEAD_SECONDS = 1.0
_RENEW_AGAIN_SECONDS = 0.5
# What does not end when it is cancelled is left behind; its lease ends by itself.
_CANCEL_SECONDS = 5.0
# The runner's own: one for steps, and one to spare while a broken one is replaced.
_OWN_POOL = 4


class LeaseLost(Exception):
    """The job belongs to another worker by now; what this run has written must not count."""


class TimedOut(Exception):
    """A job took longer than its `timeout_seconds`."""


@dataclass(slots=True, eq=False)
class _Run:
    """One claimed job of this process.

    Attributes:
        claimed: what the queue said.
        claimed_at: when, by the monotonic clock.
        job: its declaration.
        running: what the function can ask for.
        task: runs the function; None while it waits for a free place.
        committing: the function has ended well; nothing may stop the run any more.
        stopped: why the task was cancelled.
    """

    claimed: Claimed
    claimed_at: float
    job: Job[Any]
    running: RunningJob
    task: asyncio.Task[None] | None = None
    committing: bool = False
    stopped: Literal["", "cancelled", "returned", "lost"] = ""

    def end(self, state: JobState, **values: Any) -> Ending:
        return Ending(self.claimed.id, self.claimed.lease, state, **values)


@dataclass(slots=True)
class _Times:
    """When things were done last, by the monotonic clock."""

    renewed: float = field(default_factory=clock.monotonic)
    rescued: float = float("-inf")
    progress: float = float("-inf")
    measured: float = float("-inf")
    # Processes that start together do not prune together.
    pruned: float = field(default_factory=lambda: clock.monotonic() - random.uniform(0, _PRUNE_SECONDS))


class JobRunner:
    """Runs the jobs of one process.

    Args:
        resources: what the process holds.
    """

    topic = queue.TOPIC

    def __init__(self, resources: Resources) -> None:
        settings = resources.settings
        self._resources = resources
        self._places = settings.job_concurrency
        self._lease_seconds = settings.job_lease_seconds
        self._heartbeat = settings.job_lease_seconds / _HEARTBEATS
        url = resources.database.url.render_as_string(hide_password=False)
        self._own = Database(url, pool_size=_OWN_POOL)
        if self._own.dialect == "postgresql":
            event.listen(self._own.engine.sync_engine, "connect", _prefer_indexes)
        self._work = Database(url, pool_size=2 * self._places)
        for reader in filter(None, (resources.database.read, resources.database.replica)):
            reader.totals.install(self._work.engine.sync_engine)
        self._runs: dict[str, _Run] = {}
        self._waiting: deque[_Run] = deque()
        self._endings: list[Ending] = []
        self._hungry = False
        self._average_seconds = 1.0
        self._times = _Times()

    async def step(self) -> float | None:
        """Write down what ended, renew the leases, claim what is due and begin it."""
        known = {job.name: job for job in jobs()}
        if not known:
            return None
        now = clock.monotonic()
        self._give_back_what_waits(now)
        room = self._room()
        due_in = await self._due_in(known) if room > 0 else None
        claims = due_in is not None and due_in <= 0
        rescues = now - self._times.rescued >= self._lease_seconds / 2
        claimed: list[Claimed] = []
        if claims or rescues or self._has_news(now):
            async with self._own.sessions() as session:
                settle = await self._keep_house(session, now)
                if rescues:
                    await self._rescue(session, known)
                if claims:
                    claimed = await queue.claim(session, list(known), room, self._lease_seconds)
                await session.commit()
                settle()
            self._times.rescued = now if rescues else self._times.rescued
            self._hungry = claims and len(claimed) == room
        for each in claimed:
            self._add(each, known[each.name])
        await self._look_after_table(now)
        if claims:
            return 0.0 if self._room() > 0 else self._heartbeat
        return min(self._longest_wait(), LONGEST_WAIT_SECONDS if due_in is None else due_in)

    async def stop(self) -> None:
        """Let what runs go on for DRAIN_SECONDS, then hand back what has not ended."""
        try:
            for run in self._waiting:
                self._return(run)
            self._waiting.clear()
            await self._drain(self._resources.settings.drain_seconds)
            async with self._own.sessions() as session:
                await queue.write_endings(session, self._endings)
                await session.commit()
        except Exception as error:
            logger.warning("jobs could not be handed back; they run again when their leases end", error=error)
        finally:
            await self._own.close()
            await self._work.close()

    async def _drain(self, seconds: float) -> None:
        end = clock.monotonic() + seconds
        while self._runs and (left := end - clock.monotonic()) > 0:
            tasks = [run.task for run in self._runs.values() if run.task is not None]
            await asyncio.wait(tasks, timeout=min(left, self._heartbeat), return_when=asyncio.FIRST_COMPLETED)
            try:
                async with self._own.sessions() as session:
                    settle = await self._keep_house(session, clock.monotonic())
                    await session.commit()
                    settle()
            except Exception as error:
                logger.warning("leases could not be renewed while stopping", error=error)
                await asyncio.sleep(min(left, _RENEW_AGAIN_SECONDS))
        late = [run.task for run in self._runs.values() if self._stop_run(run, "returned") and run.task]
        if late:
            await asyncio.wait(late, timeout=_CANCEL_SECONDS)

    # What is claimed, and how much more.

    def _room(self) -> int:
        """How many jobs to claim now."""
        ahead = _AHEAD * self._places if self._average_seconds < _QUICK_SECONDS else 0
        free = self._places + ahead - len(self._runs)
        # Few at a time would be many transactions.
        return free if not ahead or len(self._waiting) <= ahead // 2 else 0

    async def _due_in(self, known: dict[str, Job[Any]]) -> float | None:
        """In how many seconds something is due; who got as much as he asked for last time believes that there is more."""
        if self._hungry:
            return 0.0
        due = await queue.next_due(list(known))
        return None if due is None else (due - clock.now()).total_seconds()

    def _add(self, claimed: Claimed, job: Job[Any]) -> None:
        running = RunningJob(
            claimed.id,
            claimed.name,
            claimed.attempt,
            claimed.lease,
            claimed.fencing_token,
            claimed.created_by,
            self._wake_for_progress,
        )
        if (stale := self._runs.get(claimed.id)) is not None:
            # Its lease ended and nobody but ourselves has taken it again.
            self._stop_run(stale, "lost")
        run = self._runs[claimed.id] = _Run(claimed, clock.monotonic(), job, running)
        self._waiting.append(run)
        self._begin_waiting()

    def _begin_waiting(self) -> None:
        while self._waiting and len(self._runs) - len(self._waiting) < self._places:
            run = self._waiting.popleft()
            run.task = asyncio.create_task(self._run(run), name=f"job {run.claimed.name}")

    def _give_back_what_waits(self, now: float) -> None:
        while self._waiting and now - self._waiting[-1].claimed_at > _AHEAD_SECONDS:
            self._return(self._waiting.pop())

    def _return(self, run: _Run) -> None:
        """Give back a run that has not begun."""
        self._runs.pop(run.claimed.id, None)
        self._endings.append(run.end(JobState.QUEUED, due_at=clock.now(), counted=False))

    def _stop_run(self, run: _Run, why: Literal["cancelled", "returned", "lost"]) -> bool:
        run.stopped = run.stopped or why
        if run.task is not None:
            run.task.cancel()
            return True
        self._waiting.remove(run)
        self._runs.pop(run.claimed.id, None)
        if why == "cancelled":
            self._endings.append(run.end(JobState.CANCELLED))
        return False

    # What is said to the queue.

    def _has_news(self, now: float) -> bool:
        return bool(self._endings) or self._beats(now) or self._tells_progress(now)

    def _beats(self, now: float) -> bool:
        return bool(self._runs) and now - self._times.renewed >= self._heartbeat

    def _tells_progress(self, now: float) -> bool:
        told = any(run.running.progress is not None for run in self._runs.values())
        return told and now - self._times.progress >= _PROGRESS_SECONDS

    async def _keep_house(self, session: AsyncSession, now: float) -> Any:
        """Say what there is to say; the function that is returned notes, after the commit, that it was said."""
        endings = list(self._endings)
        await queue.write_endings(session, endings)
        told = [run.running for run in self._runs.values() if run.running.progress is not None]
        told = told if self._tells_progress(now) else []
        said = [(each.id, each.lease, each.progress) for each in told if each.progress is not None]
        if said:
            await queue.write_progress(session, said)
        renewal, beats = None, self._beats(now)
        if beats:
            leases = {run.claimed.id: run.claimed.lease for run in self._runs.values()}
            renewal = await queue.renew(session, leases, self._lease_seconds)

        def settle() -> None:
            del self._endings[: len(endings)]
            for each, (_, _, progress) in zip(told, said, strict=True):
                each.progress = None if each.progress == progress else each.progress
            self._times.progress = now if said else self._times.progress
            self._times.renewed = now if beats else self._times.renewed
            if renewal is not None:
                self._obey(renewal)

        return settle

    def _obey(self, renewal: queue.Renewal) -> None:
        for job_id in renewal.lost | renewal.cancelled:
            run = self._runs.get(job_id)
            # One that commits its end may have no lease any more; if it has lost it, it will see that by itself.
            if run is not None and not run.stopped and not run.committing:
                self._stop_run(run, "lost" if job_id in renewal.lost else "cancelled")

    async def _rescue(self, session: AsyncSession, known: dict[str, Job[Any]]) -> None:
        for job_id, name, state in await queue.rescue(session, {n: j.retries for n, j in known.items()}):
            logger.warning("the worker of a job has died", job=name, job_id=job_id, state=state)
            metrics.JOBS.labels(name, "failed" if state is JobState.FAILED else "rescued").inc()

    async def _look_after_table(self, now: float) -> None:
        if now - self._times.measured >= _MEASURE_SECONDS:
            self._times.measured = now
            depth = await queue.measure_depth()
            age = (clock.now() - depth.oldest).total_seconds() if depth.oldest is not None else 0.0
            metrics.JOBS_DUE.set(depth.count)
            metrics.JOBS_OLDEST.set(age)
        if now - self._times.pruned >= _PRUNE_SECONDS:
            before = clock.now() - timedelta(days=self._resources.settings.job_keep_days)
            async with self._own.sessions() as session:
                more = await queue.prune(session, before)
                await session.commit()
            self._times.pruned = self._times.pruned if more else now

    def _longest_wait(self) -> float:
        if any(run.running.progress is not None for run in self._runs.values()):
            return _PROGRESS_SECONDS
        return self._heartbeat if self._runs else self._lease_seconds / 2

    def _wake_for_progress(self) -> None:
        if clock.monotonic() - self._times.progress >= _PROGRESS_SECONDS:
            self._wake()

    def _wake(self) -> None:
        self._resources.notifier.wake(self.topic)

    # One job.

    async def _run(self, run: _Run) -> None:
        began = clock.monotonic()
        context = Context(
            self._resources, run.claimed.request_id or run.claimed.id, route=f"job {run.claimed.name}"
        )
        context.job = run.running
        told: dict[str, object] = {}
        with enter(context):
            try:
                outcome, ending = await self._attempt(run, context)
            except LeaseLost:
                outcome, ending = "lost", None
            except (Exception, asyncio.CancelledError) as error:
                if run.stopped and isinstance(error, asyncio.CancelledError):
                    outcome, ending = self._stopped(run)
                else:
                    outcome, ending = self._failed(run, error)
                    told = {"error": error, "next_at": ending.due_at}
            seconds = clock.monotonic() - began
            self._average_seconds += (seconds - self._average_seconds) / 20
            metrics.observe_job(run.claimed.name, outcome, seconds)
            told |= {"attempt": run.claimed.attempt, "duration_ms": round(seconds * 1000, 3)}
            tell = {"done": logger.info, "failed": logger.exception}.get(outcome, logger.warning)
            tell(f"job {outcome}", **told)
        if self._runs.get(run.claimed.id) is run:
            del self._runs[run.claimed.id]
        if ending is not None:
            self._endings.append(ending)
        self._begin_waiting()
        self._wake()

    async def _attempt(self, run: _Run, context: Context) -> tuple[str, Ending | None]:
        """Call the function; an ending is returned where there was no transaction to write it in."""
        job = run.job
        work = context.unit_of_work = UnitOfWork(self._work)
        try:
            try:
                async with asyncio.timeout(job.timeout_seconds) as limit:
                    result = await job.function(work.session, **job.decode(dict(run.claimed.arguments)))
            except TimeoutError:
                if limit.expired():
                    raise TimedOut(f"It took longer than {job.timeout_seconds:g} s.") from None
                raise
            ending = run.end(JobState.DONE, result=encode_result(result))
            run.committing = True
            if not work.touched:
                return "done", ending

            async def complete(session: AsyncSession) -> None:
                ending.finished_at = clock.now()
                if not await queue.complete(session, ending):
                    raise LeaseLost

            # The last statement, so that the row is locked for a moment only.
            work.before_commit(complete)
            await work.commit()
            return "done", None
        finally:
            await work.close()

    def _stopped(self, run: _Run) -> tuple[str, Ending | None]:
        if run.stopped == "cancelled":
            return "cancelled", run.end(JobState.CANCELLED)
        if run.stopped == "lost":
            return "lost", None
        return "returned", run.end(JobState.QUEUED, due_at=clock.now(), counted=False)

    def _failed(self, run: _Run, error: BaseException) -> tuple[str, Ending]:
        told = describe_error(error)
        attempt = run.claimed.attempt
        if attempt <= run.job.retries:
            pause = min(run.job.backoff_seconds * 2 ** (attempt - 1), _LONGEST_BACKOFF_SECONDS)
            due = clock.now() + timedelta(seconds=pause * random.uniform(0.5, 1.5))
            return "retried", run.end(JobState.QUEUED, error=told, due_at=due)
        return "failed", run.end(JobState.FAILED, error=told)


def _prefer_indexes(connection: Any, _: object) -> None:
    """Claims read the head of an index.

    PostgreSQL, which saw the queue empty when it looked last, would rather sort all that is queued: 40 ms instead of 0.1 with
    20,000 jobs.
    """
    cursor = connection.cursor()
    for setting in ("enable_sort", "enable_bitmapscan", "enable_seqscan"):
        cursor.execute(f"SET {setting} = off")  # lint: sql-from-strings the names are our own
    cursor.close()


def describe_error(error: BaseException) -> dict[str, Any]:
    """What is kept of an error: its type, its message and the end of its traceback, without what looks like a secret."""
    told = "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": clean_text(str(error), _MAX_MESSAGE),
        "traceback": clean_text(told[-_MAX_TRACEBACK:], _MAX_TRACEBACK),
    }


def encode_result(result: object) -> Any:
    """What a function returned, as JSON keeps it.

    Raises:
        TypeError: it cannot.
    """
    return None if result is None else msgspec.to_builtins(result, enc_hook=_encode_schema, str_keys=True)


def _encode_schema(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"A job cannot return {type(value).__name__}: return what JSON can hold, or a schema.")

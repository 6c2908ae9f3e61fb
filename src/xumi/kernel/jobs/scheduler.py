"""The chore that makes jobs of ticks: each tick once, in however many processes this runs.

A tick is one transaction: lock the entry, note the run, enqueue the job, move the entry to its next tick. The lock keeps two
processes from doing it at once, the unique run from doing it twice. The fencing token of an entry grows with every tick.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.context import current
from xumi.kernel.db.read import fetch_all, primary
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.ids import generate_key
from xumi.kernel.jobs import queue
from xumi.kernel.jobs.models import ScheduleEntry, ScheduleRun
from xumi.kernel.jobs.timetable import Scheduled, timetable
from xumi.kernel.log import logger
from xumi.kernel.schema import SchemaBase

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources

TOPIC = "schedule"

# With `missed="skip"` a tick is left out when it is found later than this.
SKIPPED_AFTER = timedelta(minutes=1)
_BATCH = 20
_PRUNE_SECONDS = 3600.0
# Another process is at work on what is due.
_TAKEN_SECONDS = 0.02

_entries, _runs = cast(Table, ScheduleEntry.__table__), cast(Table, ScheduleRun.__table__)


class _Next(SchemaBase):
    """When an entry runs next."""

    name: str
    timing: str
    next_at: datetime


class Scheduler:
    """Watches the clock for one process.

    Args:
        resources: what the process holds.
    """

    topic = TOPIC

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._synchronised = False
        # Processes that start together do not prune together.
        self._pruned = clock.monotonic() - random.uniform(0, _PRUNE_SECONDS)

    async def step(self) -> float | None:
        """Make jobs of the ticks that are due."""
        declared = timetable()
        if not self._synchronised:
            await synchronise(declared)
            self._synchronised = True
        if not declared:
            return None
        await self._prune()
        waiting = [e for e in await self._find(declared) if e.timing == str(declared[e.name].timing)]
        if not waiting:
            return None
        first = min(entry.next_at for entry in waiting)
        if (wait := (first - clock.now()).total_seconds()) > 0:
            return wait
        due = [entry.name for entry in waiting if entry.next_at <= clock.now()]
        return 0.0 if await self._tick(declared, due) else _TAKEN_SECONDS

    async def stop(self) -> None:
        """Nothing is ever under way between two steps."""

    async def _find(self, names: Collection[str]) -> list[_Next]:
        statement = select(ScheduleEntry.name, ScheduleEntry.timing, ScheduleEntry.next_at).where(
            ScheduleEntry.name.in_(list(names)), ScheduleEntry.paused.is_(False)
        )
        with primary():
            return await fetch_all(statement, _Next)

    async def _tick(self, declared: dict[str, Scheduled], due: list[str]) -> int:
        """Run the next tick of each of these entries that nobody else is at; returns of how many."""
        now, ticked = clock.now(), 0
        async with unit_of_work() as work:
            session = work.session
            locked = (
                select(_entries)
                .where(_entries.c.name.in_(due), _entries.c.paused.is_(False), _entries.c.next_at <= now)
                .order_by(_entries.c.next_at)
                .limit(_BATCH)
                .with_for_update(skip_locked=True)
            )
            for entry in (await session.execute(locked)).all():
                if entry.timing == str(declared[entry.name].timing):
                    await _run_tick(session, entry, declared[entry.name], now)
                    ticked += 1
            queue.announce_after(work)
        return ticked

    async def _prune(self) -> None:
        if clock.monotonic() - self._pruned < _PRUNE_SECONDS:
            return
        before = clock.now() - timedelta(days=self._resources.settings.job_keep_days)
        async with unit_of_work() as work:
            await work.session.execute(delete(_runs).where(_runs.c.created_at < before))
        self._pruned = clock.monotonic()


async def _run_tick(session: AsyncSession, entry: Any, scheduled: Scheduled, now: datetime) -> None:
    timing = scheduled.timing
    tick, missed_from = entry.next_at, None
    if timing.missed != "run_all" and (last := timing.last_until(now)) > tick:
        tick, missed_from = last, tick
    token = entry.fencing_token + 1
    job_id = None
    if timing.missed == "skip" and now - tick > SKIPPED_AFTER:
        logger.warning("missed ticks are left out", schedule=entry.name, since=missed_from or tick)
    else:
        row = scheduled.job.scheduled_row() | {
            "fencing_token": token,
            "request_id": current().request_id,
        }
        job_id = await queue.put(session, row)
    run = {
        "id": generate_key(),
        "name": entry.name,
        "tick_at": tick,
        "fencing_token": token,
        "job_id": job_id,
    }
    await session.execute(insert(_runs), run | {"missed_from": missed_from, "created_at": now})
    moved = {"next_at": timing.after(tick), "fencing_token": token}
    await session.execute(update(_entries).where(_entries.c.id == entry.id).values(moved))


async def synchronise(declared: dict[str, Scheduled]) -> None:
    """Make the entries what the code says: new ones appear, changed ones start anew, those that are gone are marked."""
    now = clock.now()
    async with unit_of_work() as work:
        session = work.session
        for name, scheduled in sorted(declared.items()):
            values = {"id": generate_key(), "name": name, "timing": str(scheduled.timing), "paused": False}
            values |= {"next_at": scheduled.timing.after(now), "fencing_token": 0}
            await session.execute(queue.insert_if_absent(session, _entries, "name"), values)
            same = (_entries.c.name == name, _entries.c.timing != str(scheduled.timing))
            if await session.scalar(select(_entries.c.id).where(*same)) is not None:
                moved = {"timing": values["timing"], "next_at": await _next_tick(session, name, scheduled)}
                await session.execute(update(_entries).where(*same).values(moved))
        there = _entries.c.name.in_(list(declared))
        marked = _entries.c.vanished_at.is_not(None)
        await session.execute(update(_entries).where(there, marked).values(vanished_at=None))
        await session.execute(update(_entries).where(~there, ~marked).values(vanished_at=now))


async def _next_tick(session: AsyncSession, name: str, scheduled: Scheduled) -> datetime:
    """The first tick from now on that has not been run; another process's clock may be ahead of ours."""
    last: datetime | None = await session.scalar(
        select(func.max(_runs.c.tick_at)).where(_runs.c.name == name)
    )
    now = clock.now()
    return scheduled.timing.after(now if last is None else max(now, last))


class EntryState(NamedTuple):
    """An entry as people see it."""

    name: str
    timing: str
    state: str
    next_at: datetime
    last_tick_at: datetime | None


async def list_entries(session: AsyncSession) -> list[EntryState]:
    """All entries, also those that no code declares any more."""
    last = select(func.max(_runs.c.tick_at)).where(_runs.c.name == _entries.c.name).scalar_subquery()
    rows = await session.execute(select(_entries, last.label("last")).order_by(_entries.c.name))
    return [
        EntryState(
            row.name,
            row.timing,
            "vanished" if row.vanished_at is not None else "paused" if row.paused else "active",
            row.next_at,
            row.last,
        )
        for row in rows
    ]


async def pause(session: AsyncSession, name: str) -> bool:
    """Let an entry make no jobs until it is resumed, through restarts too; False if there is none."""
    done: Any = await session.execute(update(_entries).where(_entries.c.name == name).values(paused=True))
    return bool(done.rowcount)


async def resume(session: AsyncSession, name: str) -> bool:
    """Let it make jobs again, from its next tick on: ticks while it was paused are not missed ones; False if there is none."""
    scheduled = timetable().get(name)
    values: dict[str, Any] = {"paused": False}
    if scheduled is not None:
        values["next_at"] = await _next_tick(session, name, scheduled)
    paused = update(_entries).where(_entries.c.name == name)
    done: Any = await session.execute(paused.values(values))
    return bool(done.rowcount)

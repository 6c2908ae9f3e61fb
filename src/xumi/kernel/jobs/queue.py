"""The queue: all that is said to the table of jobs. Another queue would offer these functions and nothing more.

A claim gives a job a lease: a random token and an end. Every later word about this run names the token, so that a worker that was
taken for dead changes nothing any more. The statements are the same on all databases; `SKIP LOCKED` means nothing on SQLite,
where the first of them takes the write lock.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.context import current
from xumi.kernel.db.read import fetch_one, fetch_value, primary
from xumi.kernel.db.row_session import add_row
from xumi.kernel.db.session import UnitOfWork
from xumi.kernel.ids import generate_key
from xumi.kernel.jobs.models import ENDS, JobRow, JobState
from xumi.kernel.schema import SchemaBase
from xumi.kernel.worker import LONGEST_WAIT_SECONDS

TOPIC = "jobs"

_MAX_RESCUED = 100
_MAX_PRUNED = 1000
_NEW = {"state": JobState.QUEUED, "attempt": 0, "cancel_requested": False}
_ENDED: dict[str, Any] = {"unique_key": None, "lease": None, "lease_until": None}
_AGAIN: dict[str, Any] = {"state": JobState.QUEUED, "lease": None, "lease_until": None, "started_at": None}

_table = cast(Table, JobRow.__table__)
_c = _table.c

_CLAIMED = (_c.id, _c.name, _c.attempt, _c.arguments, _c.created_by, _c.request_id, _c.fencing_token)


class Claimed(NamedTuple):
    """A job to run. `attempt` is the number of this run, from 1."""

    id: str
    name: str
    attempt: int
    arguments: Mapping[str, Any]
    created_by: str | None
    request_id: str | None
    fencing_token: int | None
    lease: str


@dataclass(slots=True)
class Ending:
    """How one run ended.

    Attributes:
        id: the job's.
        lease: the run's.
        state: where the job is now; `QUEUED` after a failure that is followed by a retry.
        result: what the function returned, as JSON has it.
        error: type, message and traceback of what it raised.
        due_at: of a job that is queued again.
        counted: whether the run counts as an attempt; not where it was handed back.
        finished_at: when.
    """

    id: str
    lease: str
    state: JobState
    result: Any = None
    error: dict[str, Any] | None = None
    due_at: datetime | None = None
    counted: bool = True
    finished_at: datetime = field(default_factory=clock.now)


# By whoever enqueues.


async def put(session: AsyncSession, row: Mapping[str, Any]) -> str:
    """Add a job in the caller's transaction; returns its id, or that of the one which has the unique key now."""
    values = {**_NEW, **row}
    if row["unique_key"] is None:
        add_row(session, _table, values)
        return str(row["id"])
    statement = insert_if_absent(session, _table, "name", "unique_key")
    same = select(_c.id).where(_c.name == row["name"], _c.unique_key == row["unique_key"])
    while True:
        await session.execute(statement, values)
        # The one that was in the way may have ended meanwhile.
        if (found := await session.scalar(same)) is not None:
            return str(found)


def insert_if_absent(session: AsyncSession, table: Table, *key: str) -> Any:
    """An INSERT that does nothing where a row with this unique key is there."""
    dialect = session.get_bind().dialect.name
    # A process imports the dialect that it uses.
    if dialect in ("mysql", "mariadb"):
        from sqlalchemy.dialects import mysql

        return mysql.insert(table).on_duplicate_key_update(id=table.c.id)
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as build
    else:
        from sqlalchemy.dialects.sqlite import insert as build  # type: ignore[assignment]
    return build(table).on_conflict_do_nothing(index_elements=list(key))


def announce_after(work: UnitOfWork, delay_seconds: float = 0.0) -> None:
    """Wake workers, here and elsewhere, when the unit of work is committed; once, however many jobs it adds.

    Args:
        work: what adds the job.
        delay_seconds: when it is due. Workers look by themselves before a later one is.
    """
    if delay_seconds <= LONGEST_WAIT_SECONDS:
        current().resources.notifier.announce_after(work, TOPIC)


# By a worker.


async def next_due(names: Collection[str]) -> datetime | None:
    """When the next queued job of these names is due."""
    due = (
        select(_c.due_at).where(_c.state == JobState.QUEUED, _c.name.in_(names)).order_by(_c.due_at).limit(1)
    )
    with primary():
        found: datetime | None = await fetch_value(due)
    return found


async def claim(
    session: AsyncSession, names: Collection[str], limit: int, lease_seconds: float
) -> list[Claimed]:
    """Take up to `limit` due jobs of these names, in the order in which they are to run."""
    now = clock.now()
    due = (
        select(*_CLAIMED)
        .where(_c.state == JobState.QUEUED, _c.due_at <= now, _c.name.in_(names))
        .order_by(_c.priority, _c.due_at, _c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = (await session.execute(due)).all()
    if not rows:
        return []
    lease = generate_key()
    values = {"state": JobState.RUNNING, "attempt": _c.attempt + 1, "lease": lease, "started_at": now}
    values |= {"lease_until": now + timedelta(seconds=lease_seconds), "finished_at": None}
    ids = padded([row.id for row in rows])
    await session.execute(update(_table).where(_c.id.in_(ids)).values(values))
    return [Claimed(row[0], row[1], row[2] + 1, *row[3:], lease) for row in rows]


async def complete(session: AsyncSession, ending: Ending) -> bool:
    """End a job inside its own transaction; False if the lease is lost, and then the transaction must be rolled back."""
    values = {**_ENDED, "state": ending.state, "result": ending.result, "error": None}
    values["finished_at"] = ending.finished_at
    statement = update(_table).where(_c.id == ending.id, _c.lease == ending.lease).values(values)
    done: Any = await session.execute(statement)
    return bool(done.rowcount)


async def write_endings(session: AsyncSession, endings: Sequence[Ending]) -> None:
    """Note how runs ended that have no transaction, or lost it. Those whose lease is lost are passed over."""
    empty = [e for e in endings if e.state is JobState.DONE and e.result is None]
    if empty:
        await session.execute(
            update(_table)
            .where(_c.id.in_(padded([e.id for e in empty])), _c.lease.in_(padded([e.lease for e in empty])))
            .values({**_ENDED, "state": JobState.DONE, "error": None, "finished_at": empty[-1].finished_at})
        )
    other = [e for e in endings if e.state in ENDS and not (e.state is JobState.DONE and e.result is None)]
    await _update_each(session, _ENDED, ("state", "result", "error", "finished_at"), other)
    retried = [e for e in endings if e.state is JobState.QUEUED and e.counted]
    await _update_each(session, _AGAIN, ("error", "due_at"), retried)
    returned = [e for e in endings if e.state is JobState.QUEUED and not e.counted]
    await _update_each(session, {**_AGAIN, "attempt": _c.attempt - 1}, ("due_at",), returned)


async def _update_each(
    session: AsyncSession, fixed: Mapping[str, Any], own: Sequence[str], endings: Sequence[Ending]
) -> None:
    if not endings:
        return
    values = {**fixed, **{name: bindparam(f"own_{name}", type_=_c[name].type) for name in own}}
    statement = update(_table).where(_c.id == bindparam("of_id"), _c.lease == bindparam("of_lease"))
    rows = [
        {"of_id": e.id, "of_lease": e.lease, **{f"own_{name}": getattr(e, name) for name in own}}
        for e in endings
    ]
    # A connection, because a session takes a list of rows for an update by primary key.
    await (await session.connection()).execute(statement.values(values), rows)


class Renewal(NamedTuple):
    """What a worker learns when it renews its leases: runs that it has lost, and such that somebody wants to end."""

    lost: set[str]
    cancelled: set[str]


async def renew(session: AsyncSession, leases: Mapping[str, str], lease_seconds: float) -> Renewal:
    """Renew the leases of these jobs, by id."""
    until = clock.now() + timedelta(seconds=lease_seconds)
    ids = _c.id.in_(padded(sorted(leases)))
    held = _c.lease.in_(padded(sorted(set(leases.values()))))
    await session.execute(update(_table).where(ids, held).values(lease_until=until))
    rows = (await session.execute(select(_c.id, _c.cancel_requested).where(ids, held))).all()
    return Renewal(leases.keys() - {row[0] for row in rows}, {row[0] for row in rows if row[1]})


async def write_progress(
    session: AsyncSession, told: Iterable[tuple[str, str, tuple[int, int | None, str]]]
) -> None:
    """Note how far runs are: id, lease, and done, total and message."""
    values = {
        f"progress_{name}": bindparam(f"own_{name}", type_=_c[f"progress_{name}"].type)
        for name in ("done", "total", "message")
    }
    statement = update(_table).where(_c.id == bindparam("of_id"), _c.lease == bindparam("of_lease"))
    rows = [
        {"of_id": job_id, "of_lease": lease, "own_done": done, "own_total": total, "own_message": message}
        for job_id, lease, (done, total, message) in told
    ]
    await (await session.connection()).execute(statement.values(values), rows)


async def rescue(session: AsyncSession, retries: Mapping[str, int]) -> list[tuple[str, str, JobState]]:
    """See to the jobs whose worker has died: due again, or failed when they have no retry left.

    Args:
        session: the open transaction.
        retries: how many each job has, by name.

    Returns:
        Id, name and new state of each.
    """
    now = clock.now()
    dead = (
        select(_c.id, _c.name, _c.attempt, _c.lease, _c.cancel_requested)
        .where(_c.state == JobState.RUNNING, _c.lease_until < now, _c.name.in_(list(retries)))
        .limit(_MAX_RESCUED)
        .with_for_update(skip_locked=True)
    )
    endings, told = [], []
    for row in (await session.execute(dead)).all():
        state = JobState.QUEUED if row.attempt <= retries[row.name] else JobState.FAILED
        error = {"type": "WorkerDied", "message": "The worker that ran this has died.", "traceback": ""}
        if row.cancel_requested:
            state = JobState.CANCELLED
        endings.append(Ending(row.id, row.lease, state, error=error, due_at=now))
        told.append((row.id, row.name, state))
    await write_endings(session, endings)
    return told


class Depth(SchemaBase):
    """How many jobs are due, and since when the oldest of them."""

    count: int
    oldest: datetime | None


async def measure_depth() -> Depth:
    """How much is due and was not begun."""
    due = select(func.count().label("count"), func.min(_c.due_at).label("oldest")).where(
        _c.state == JobState.QUEUED, _c.due_at <= clock.now()
    )
    with primary():
        found = await fetch_one(due, Depth)
    assert found is not None
    return found


async def prune(session: AsyncSession, before: datetime) -> bool:
    """Delete some of the jobs that ended before a time; True if there may be more of them."""
    # A job ends after it was due, and there is an index by that.
    old = (
        select(_c.id)
        .where(_c.state.in_(ENDS), _c.due_at < before, _c.finished_at < before)
        .limit(_MAX_PRUNED)
    )
    ids = (await session.scalars(old)).all()
    if ids:
        await session.execute(delete(_table).where(_c.id.in_(padded(ids))))
    return len(ids) == _MAX_PRUNED


# By people.


async def cancel(session: AsyncSession, job_id: str) -> bool:
    """End a queued job now, a running one at its worker's next heartbeat; False if it is neither."""
    values = {**_ENDED, "state": JobState.CANCELLED, "finished_at": clock.now()}
    if await _change(session, job_id, (JobState.QUEUED,), values):
        return True
    return await _change(session, job_id, (JobState.RUNNING,), {"cancel_requested": True})


async def retry(session: AsyncSession, job_id: str) -> bool:
    """Queue a failed or cancelled job again, as if it was new; False if it is neither."""
    values = {**_NEW, **_AGAIN, "due_at": clock.now(), "finished_at": None}
    return await _change(session, job_id, (JobState.FAILED, JobState.CANCELLED), values)


async def run_now(session: AsyncSession, job_id: str) -> bool:
    """Make a queued job due; False if it is not queued."""
    return await _change(session, job_id, (JobState.QUEUED,), {"due_at": clock.now()})


async def _change(
    session: AsyncSession, job_id: str, states: Sequence[JobState], values: Mapping[str, Any]
) -> bool:
    done: Any = await session.execute(
        update(_table).where(_c.id == job_id, _c.state.in_(states)).values(values)
    )
    return bool(done.rowcount)


def padded(values: Sequence[str]) -> list[str]:
    """The values, the last repeated up to a power of two, so that few different statements are prepared."""
    size = 1 << (len(values) - 1).bit_length()
    return [*values, *[values[-1]] * (size - len(values))]

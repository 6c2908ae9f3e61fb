"""Deliveries that were given up, and the look at and the replay of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.db.session import UnitOfWork
from xumi.kernel.events.delivery import DEAD, PENDING, delivery
from xumi.kernel.events.outbox import TOPIC, outbox
from xumi.kernel.resources import Resources


class DeadLetter(NamedTuple):
    """A delivery that was given up."""

    event: str
    name: str
    aggregate: str
    consumer: str
    attempts: int
    died_at: datetime
    error: str


class Backlog(NamedTuple):
    """What one consumer has not had yet. `oldest_seconds` is the age of the oldest of it."""

    consumer: str
    pending: int
    dead: int
    oldest_seconds: float


async def list_dead(session: AsyncSession, limit: int) -> list[DeadLetter]:
    """The deliveries that were given up, the oldest event first."""
    statement = (
        select(
            outbox.c.id,
            outbox.c.name,
            outbox.c.aggregate,
            delivery.c.consumer,
            delivery.c.attempts,
            delivery.c.changed_at,
            delivery.c.error,
        )
        .join(outbox, outbox.c.position == delivery.c.position)
        .where(delivery.c.state == DEAD)
        .order_by(delivery.c.position, delivery.c.consumer)
        .limit(limit)
    )
    return [DeadLetter._make(row) for row in await session.execute(statement)]


async def show(session: AsyncSession, event: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """An event and its deliveries, column by column; None where there is no such event."""
    found = (await session.execute(select(outbox).where(outbox.c.id == event))).mappings().first()
    if found is None:
        return None
    of_event = select(delivery).where(delivery.c.position == found["position"]).order_by(delivery.c.consumer)
    return dict(found), [dict(row) for row in (await session.execute(of_event)).mappings()]


async def replay(
    work: UnitOfWork, resources: Resources, *, event: str | None = None, consumer: str | None = None
) -> int:
    """Let deliveries that were given up begin again, with all their attempts; returns how many.

    The events behind them have gone on meanwhile: such an event comes to its consumer later than younger ones.

    Args:
        work: the open transaction.
        resources: whose other processes are told.
        event: only those of this event.
        consumer: only those to this consumer.
    """
    conditions: list[ColumnElement[bool]] = [delivery.c.state == DEAD]
    if event is not None:
        conditions.append(delivery.c.position.in_(select(outbox.c.position).where(outbox.c.id == event)))
    if consumer is not None:
        conditions.append(delivery.c.consumer == consumer)
    now = clock.now()
    again = update(delivery).where(*conditions).values(state=PENDING, attempts=0, due_at=now, changed_at=now)
    connection = await work.session.connection()
    count = (await connection.execute(again)).rowcount
    resources.notifier.announce_after(work, TOPIC)
    return count


async def backlogs(session: AsyncSession, names: Sequence[str]) -> list[Backlog]:
    """What each consumer has not had yet: those of these names, and others that the database knows."""
    counted = (
        select(delivery.c.consumer, delivery.c.state, func.count(), func.min(outbox.c.published_at))
        .join(outbox, outbox.c.position == delivery.c.position)
        .where(delivery.c.state.in_((PENDING, DEAD)))
        .group_by(delivery.c.consumer, delivery.c.state)
    )
    found = {(row[0], row[1]): (row[2], row[3]) for row in await session.execute(counted)}
    now = clock.now()

    def backlog(name: str) -> Backlog:
        pending, oldest = found.get((name, PENDING), (0, None))
        age = 0.0 if oldest is None else (now - oldest).total_seconds()
        return Backlog(name, pending, found.get((name, DEAD), (0, None))[0], age)

    return [backlog(name) for name in sorted({*names, *(name for name, _ in found)})]


async def count_unsorted(session: AsyncSession) -> int:
    """How many events no relay has seen yet."""
    return await session.scalar(select(func.count()).select_from(outbox).where(~outbox.c.relayed)) or 0

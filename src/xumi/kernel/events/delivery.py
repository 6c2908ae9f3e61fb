"""The inbox: one row for each event and consumer, which the consumer's own transaction marks as done.

Whoever holds the lock on the oldest pending row of a consumer and an aggregate holds that aggregate: the rows behind it are
his, and nobody else takes one of them. The lock belongs to the transaction that runs the consumer, so that the death of a
process gives everything back at once; there is no lease that has to run out.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Insert,
    Integer,
    Select,
    String,
    Table,
    Text,
    and_,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.db.model import ModelBase, UtcDateTime
from xumi.kernel.events.consumer import MAX_NAME
from xumi.kernel.events.event import MAX_KEY
from xumi.kernel.events.outbox import outbox

PENDING, DONE, DEAD = "pending", "done", "dead"
FAN_OUT_ROWS = 500
# How often a relay looks past what others hold.
_WINDOWS = 5
MAX_ERROR = 2000

delivery = Table(
    "event_delivery",
    ModelBase.metadata,
    Column("consumer", String(MAX_NAME), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("aggregate", String(MAX_KEY), nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("error", Text),
    info={"owner": "library"},
)
_is_pending = delivery.c.state == literal(PENDING, literal_execute=True)


# Of what is pending only: see `ix_event_outbox_waiting`.
Index("ix_event_delivery_pending", delivery.c.consumer, delivery.c.state, delivery.c.position)
Index("ix_event_delivery_due", delivery.c.state, delivery.c.attempts, delivery.c.due_at)


class Delivery(NamedTuple):
    """An event on its way to a consumer."""

    position: int
    aggregate: str
    attempts: int
    id: str
    name: str
    version: int
    data: str
    request_id: str
    published_at: datetime


class Outlook(NamedTuple):
    """What there is to do.

    Attributes:
        unsorted: events wait in the outbox to be handed out to consumers.
        consumers: for whom something is due.
        next_due: when the next attempt at something that has failed is due.
    """

    unsorted: bool
    consumers: list[str]
    next_due: datetime | None


async def look(session: AsyncSession, names: Sequence[str]) -> Outlook:
    """What there is to do for these consumers, by one query that locks nothing."""
    now = clock.now()
    unsorted = select(outbox.c.position).where(~outbox.c.relayed).exists()
    next_due = select(func.min(delivery.c.due_at)).where(
        _is_pending, delivery.c.attempts > 0, delivery.c.due_at > now
    )
    due = [
        select(delivery.c.position)
        .where(_is_pending, delivery.c.consumer == name, delivery.c.due_at <= now)
        .exists()
        for name in names
    ]
    row = (await session.execute(select(unsorted, next_due.scalar_subquery(), *due))).one()
    return Outlook(bool(row[0]), [name for name, waits in zip(names, row[2:], strict=True) if waits], row[1])


async def fan_out(session: AsyncSession) -> int:
    """Make a delivery for each event and each consumer that its publisher knew; returns how many events were handed out.

    Events are locked from the oldest on, without leaving any out: two relays do this one after the other, so that an event is
    never handed out before an older one of its aggregate.
    """
    oldest = (
        select(outbox.c.position, outbox.c.consumers)
        .where(~outbox.c.relayed)
        .order_by(outbox.c.position)
        .limit(FAN_OUT_ROWS)
        .with_for_update()
    )
    found = (await session.execute(oldest)).all()
    if not found:
        return 0
    wanted: dict[str, list[int]] = {}
    for event in found:
        for name in event.consumers.split(","):
            wanted.setdefault(name, []).append(event.position)
    connection = await session.connection()
    for name, positions in wanted.items():
        await connection.execute(_deliver_to(name, positions))
    positions = [event.position for event in found]
    await connection.execute(update(outbox).where(outbox.c.position.in_(positions)).values(relayed=True))
    return len(found)


def _deliver_to(consumer: str, positions: Sequence[int]) -> Insert:
    pending = select(
        literal(consumer),
        outbox.c.position,
        outbox.c.aggregate,
        literal(PENDING),
        literal(0),
        outbox.c.published_at,
        outbox.c.published_at,
    ).where(outbox.c.position.in_(positions))
    names = ("consumer", "position", "aggregate", "state", "attempts", "due_at", "changed_at")
    return insert(delivery).inline().from_select(names, pending)


async def claim(session: AsyncSession, consumer: str, limit: int) -> list[Delivery]:
    """Lock what one consumer may have now: the heads of its aggregates, and what follows them, in their order.

    In the order of positions the first pending row of an aggregate is its head. Only heads are locked: while a head is pending
    nobody has taken what is behind it. Aggregates that are held by others are looked past.
    """
    held_by_others: set[str] = set()
    for _ in range(_WINDOWS):
        window = [
            Delivery._make(row) for row in await session.execute(_window(consumer, limit, held_by_others))
        ]
        heads = {each.aggregate: each.position for each in reversed(window)}
        locked = set(await session.scalars(_lock(consumer, heads.values()))) if heads else set()
        mine = [each for each in window if heads[each.aggregate] in locked]
        if mine or len(window) < limit:
            return mine
        held_by_others |= heads.keys()
    return []


def _window(consumer: str, limit: int, held_by_others: set[str]) -> Select[Any]:
    """The oldest pending rows, without the aggregates whose head waits for its next attempt."""
    waiting = delivery.alias()
    blocked = select(waiting.c.aggregate).where(
        waiting.c.state == literal(PENDING, literal_execute=True),
        waiting.c.attempts > 0,
        waiting.c.due_at > clock.now(),
        waiting.c.consumer == consumer,
    )
    statement = (
        select(
            delivery.c.position,
            delivery.c.aggregate,
            delivery.c.attempts,
            outbox.c.id,
            outbox.c.name,
            outbox.c.version,
            outbox.c.data,
            outbox.c.request_id,
            outbox.c.published_at,
        )
        .join(outbox, outbox.c.position == delivery.c.position)
        .where(_is_pending, delivery.c.consumer == consumer, delivery.c.aggregate.not_in(blocked))
        .order_by(delivery.c.position)
        .limit(limit)
    )
    return statement.where(delivery.c.aggregate.not_in(held_by_others)) if held_by_others else statement


def _is_one_of(consumer: str, positions: Collection[int]) -> ColumnElement[bool]:
    """The range is for planners that would otherwise compare each pending row with each position."""
    return and_(
        _is_pending,
        delivery.c.consumer == consumer,
        delivery.c.position.between(min(positions), max(positions)),
        delivery.c.position.in_(positions),
    )


def _lock(consumer: str, positions: Collection[int]) -> Select[Any]:
    return (
        select(delivery.c.position).where(_is_one_of(consumer, positions)).with_for_update(skip_locked=True)
    )


async def mark_done(session: AsyncSession, consumer: str, positions: Sequence[int]) -> None:
    """Note that a consumer has taken these; call it in the transaction of their effects.

    Raises:
        RuntimeError: somebody else has marked one meanwhile, which the claim should have kept from happening.
    """
    statement = (
        update(delivery)
        .where(_is_one_of(consumer, positions))
        .values(state=DONE, changed_at=clock.now(), error=None)
    )
    connection = await session.connection()
    marked = (await connection.execute(statement)).rowcount
    if marked != len(positions):
        raise RuntimeError(
            f"{len(positions)} events were claimed for {consumer}, {marked} of them are pending"
        )


async def mark_failed(
    session: AsyncSession, consumer: str, failed: Delivery, error: str, *, retry_after_seconds: float | None
) -> bool:
    """Note a failure, and when the next attempt is due; None gives the event up.

    Returns:
        False where somebody else has taken the event meanwhile.
    """
    now = clock.now()
    values: dict[str, Any] = {"attempts": failed.attempts + 1, "changed_at": now, "error": error[:MAX_ERROR]}
    if retry_after_seconds is None:
        values["state"] = DEAD
    else:
        values["due_at"] = now + timedelta(seconds=retry_after_seconds)
    mine = and_(
        delivery.c.consumer == consumer,
        delivery.c.position == failed.position,
        delivery.c.attempts == failed.attempts,
        _is_pending,
    )
    connection = await session.connection()
    return bool((await connection.execute(update(delivery).where(mine).values(values))).rowcount)

"""Publishing: events are kept in the transaction that they tell of, in one statement at its end.

    publish(OrderPaid(order_id=order.id, fen=order.fen))

An event exists if and only if its transaction was committed. Its position in the outbox is given when the transaction has done
everything else and holds the locks of the rows that it has changed: of two transactions that change the same row, the one that
commits first has the lower position.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from prometheus_client import Counter
from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text
from sqlalchemy import event as listen
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import SessionTransaction

from xumi.kernel import clock, metrics
from xumi.kernel.context import Context, current
from xumi.kernel.db.model import ModelBase, UtcDateTime
from xumi.kernel.db.savepoint import is_inside
from xumi.kernel.db.session import UnitOfWork
from xumi.kernel.events.consumer import names_of_consumers
from xumi.kernel.events.event import MAX_KEY, MAX_NAME, Event
from xumi.kernel.ids import KEY_LENGTH, generate_key

TOPIC = "events"

outbox = Table(
    "event_outbox",
    ModelBase.metadata,
    # SQLite counts only a column of exactly this type.
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(KEY_LENGTH), nullable=False, unique=True),
    Column("name", String(MAX_NAME), nullable=False),
    Column("version", Integer, nullable=False),
    Column("aggregate", String(MAX_KEY), nullable=False),
    Column("data", Text, nullable=False),
    # Whom the publisher knew as takers: a relay of an older version cannot forget one.
    Column("consumers", Text, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
    Column("relayed", Boolean, nullable=False),
    info={"owner": "library"},
)
# The migration leaves the rest of the rows out of it, where the database can; to say so here would load both databases' dialects.
Index("ix_event_outbox_waiting", outbox.c.relayed, outbox.c.position)
# labels() costs more than counting does.
_counters: dict[str, Counter] = {}


def publish(event: Event) -> str:
    """Let the consumers of an event's type have it, once the running transaction is committed; returns its id.

    Raises:
        RuntimeError: no transaction is open here, which the event would belong to.
        ValueError: the event's key is empty or too long.
    """
    context = current()
    unit = context.unit_of_work
    if unit is None:
        raise RuntimeError(
            "An event belongs to a transaction: publish it where a session is (a handler with a Session, "
            "`async with unit_of_work()`)."
        )
    buffer = unit.find_before_commit(_Buffer)
    if buffer is None:
        buffer = _Buffer(context, unit)
        unit.before_commit(buffer)
    return buffer.add(event, unit.session)


@dataclass(slots=True)
class _Entry:
    """An event that waits for the commit, and the savepoint that it was published in."""

    row: dict[str, Any]
    savepoint: SessionTransaction | None


class _Buffer:
    """The events of one transaction; written by one statement when everything else is done."""

    def __init__(self, context: Context, unit: UnitOfWork) -> None:
        self._resources, self._request_id = context.resources, context.request_id
        self._unit = unit
        self._entries: list[_Entry] = []
        self._watching = False

    def add(self, event: Event, session: AsyncSession) -> str:
        """Keep an event in mind; a savepoint that is rolled back takes it away."""
        savepoint = session.sync_session.get_nested_transaction()
        if savepoint is not None and not self._watching:
            listen.listen(session.sync_session, "after_soft_rollback", self._forget)
            self._watching = True
        key = generate_key()
        row = {
            "id": key,
            "name": event.name,
            "version": event.version,
            "aggregate": event.key,
            "data": msgspec.json.encode(event).decode(),
            "consumers": (takers := names_of_consumers(type(event))),
            "request_id": self._request_id,
            "published_at": clock.now(),
            "relayed": not takers,
        }
        self._entries.append(_Entry(row, savepoint))
        return key

    def _forget(self, _session: Any, ended: SessionTransaction) -> None:
        self._entries = [entry for entry in self._entries if not is_inside(entry.savepoint, ended)]

    async def __call__(self, session: AsyncSession) -> None:
        """Write them; afterwards, if the commit succeeds, wake the relay."""
        rows = [entry.row for entry in self._entries]
        if not rows:
            return
        # The locks of rows that were changed come first, the positions after them.
        for row in rows:
            self._unit.insert_last(outbox, row)

        def published() -> None:
            for row in rows:
                name = row["name"]
                counter = _counters.get(name)
                if counter is None:
                    counter = _counters[name] = metrics.EVENTS_PUBLISHED.labels(name)
                counter.inc()

        self._unit.after_commit(published)
        if any(row["consumers"] for row in rows):
            notifier = self._resources.notifier
            if notifier.listening:
                # Its own relay takes them: nobody else need be woken.
                self._unit.after_commit(partial(notifier.wake, TOPIC))
            else:
                notifier.announce_after(self._unit, TOPIC)

"""The relay: takes events from the outbox to their consumers.

Any number of relays work side by side without a leader. A batch is one transaction: many consumers' runs share one commit, which
is what makes events cheap. When one of them raises, the batch is rolled back and the one that failed is run alone, so that it
spoils no other; what fails alone is tried again later and holds up only its own consumer and aggregate.
"""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock, metrics
from xumi.kernel.context import Context, enter
from xumi.kernel.db.session import UnitOfWork, unit_of_work
from xumi.kernel.events.consumer import Consumer, consumers, find_consumer
from xumi.kernel.events.delivery import DONE, Delivery, claim, delivery, fan_out, look, mark_done, mark_failed
from xumi.kernel.events.event import find_event
from xumi.kernel.events.outbox import TOPIC, outbox
from xumi.kernel.log import logger

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources

MAX_ATTEMPTS = 10
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 600.0
CONSUMER_SECONDS = 30.0
"""A consumer that takes longer has failed."""
KEPT_DAYS = 7
BATCH = 200
# While a batch runs on SQLite, nobody else can write.
_BATCH_SECONDS = {"sqlite": 0.05}
_LONGEST_BATCH_SECONDS = 1.0
# Events that come within this time share a transaction.
_GATHER_SECONDS = 0.01
_PRUNE_SECONDS = 3600.0
_PRUNE_ROWS = 1000


class Relay:
    """The chore that delivers events.

    Args:
        resources: what the process holds.
    """

    topic = TOPIC

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._seconds = _BATCH_SECONDS.get(resources.database.dialect, _LONGEST_BATCH_SECONDS)
        # What made a batch fail, by consumer and position, until it has been run alone.
        self._suspects: set[tuple[str, int]] = set()
        self._gathers = False
        self._pruned_at = clock.monotonic()

    async def step(self) -> float | None:
        """Hand out new events, and give each consumer for whom something is due one batch."""
        if self._gathers:
            await asyncio.sleep(_GATHER_SECONDS)
        names = [each.name for each in consumers()]
        async with unit_of_work(self._resources) as work:
            outlook = await look(work.session, names)
        sorted_out = delivered = 0
        if outlook.unsorted:
            async with unit_of_work(self._resources) as work:
                sorted_out = await fan_out(work.session)
            async with unit_of_work(self._resources) as work:
                outlook = await look(work.session, names)
        for name in outlook.consumers:
            found = find_consumer(name)
            assert found is not None
            delivered += await self._deliver(found)
        self._gathers = 0 < delivered < BATCH
        if sorted_out or delivered:
            return 0
        metrics.EVENTS_LAG.set(0)
        self._suspects.clear()
        if clock.monotonic() - self._pruned_at > _PRUNE_SECONDS:
            if await prune(self._resources) == _PRUNE_ROWS:
                return 0
            self._pruned_at = clock.monotonic()
        if outlook.next_due is None:
            return None
        return max(0.01, (outlook.next_due - clock.now()).total_seconds())

    async def stop(self) -> None:
        """Nothing is under way between two steps."""

    async def _deliver(self, consumer: Consumer) -> int:
        """One batch for a consumer; returns how many events were settled in some way."""
        batch: list[Delivery] = []
        running: list[Delivery] = []
        try:
            async with unit_of_work(self._resources) as work:
                claimed = await claim(work.session, consumer.name, BATCH)
                if not claimed:
                    return 0
                batch = self._choose(consumer, claimed)
                done = await self._run(consumer, batch, work, running)
                await mark_done(work.session, consumer.name, [each.position for each in done])
        except Exception as error:
            if not batch:
                raise
            # Where the transaction itself failed, any of them may be to blame.
            await self._fail(consumer, batch, running or batch, error)
            return 1
        for each in done:
            self._suspects.discard((consumer.name, each.position))
        metrics.EVENTS_DELIVERED.labels(consumer.name).inc(len(done))
        metrics.EVENTS_LAG.set((clock.now() - done[0].published_at).total_seconds())
        return len(done)

    def _choose(self, consumer: Consumer, claimed: list[Delivery]) -> list[Delivery]:
        """All of them, or the first that must be run alone."""
        for each in claimed:
            if each.attempts or (consumer.name, each.position) in self._suspects:
                return [each] if self._is_head(each, claimed) else claimed[: claimed.index(each)]
        return claimed

    @staticmethod
    def _is_head(wanted: Delivery, claimed: list[Delivery]) -> bool:
        return next(each for each in claimed if each.aggregate == wanted.aggregate) is wanted

    async def _run(
        self, consumer: Consumer, batch: list[Delivery], work: UnitOfWork, running: list[Delivery]
    ) -> list[Delivery]:
        """Run the consumer for each until time is up; returns those that it has run for. `running` holds the present one."""
        end = clock.monotonic() + self._seconds
        done: list[Delivery] = []
        for each in batch:
            running[:] = [each]
            context = Context(self._resources, each.request_id, route=f"consumer {consumer.name}")
            context.unit_of_work = work
            with enter(context):
                logger.debug("event is delivered", event=each.id, consumer=consumer.name)
                async with asyncio.timeout(CONSUMER_SECONDS):
                    await _call(consumer, each, work.session)
            done.append(each)
            if clock.monotonic() > end:
                break
        running.clear()
        return done

    async def _fail(
        self, consumer: Consumer, batch: list[Delivery], blamed: list[Delivery], error: Exception
    ) -> None:
        if len(batch) > 1:
            self._suspects.update((consumer.name, each.position) for each in blamed)
            return
        failed = batch[0]
        self._suspects.discard((consumer.name, failed.position))
        attempts = failed.attempts + 1
        wait = None if attempts >= MAX_ATTEMPTS else retry_after_seconds(attempts)
        async with unit_of_work(self._resources) as work:
            told = f"{type(error).__name__}: {error}"
            if not await mark_failed(work.session, consumer.name, failed, told, retry_after_seconds=wait):
                return
        with enter(Context(self._resources, failed.request_id, route=f"consumer {consumer.name}")):
            fields = {"event": failed.id, "consumer": consumer.name, "attempts": attempts}
            if wait is None:
                metrics.EVENTS_DEAD.labels(consumer.name).inc()
                logger.exception("event is given up", error=error, **fields)
            else:
                metrics.EVENTS_FAILED.labels(consumer.name).inc()
                logger.warning("event failed", reason=told, retry_after_seconds=round(wait, 1), **fields)


def retry_after_seconds(attempts: int) -> float:
    """How long to wait after so many failed attempts: twice as long each time, and not the same for all."""
    longest: float = min(FIRST_RETRY_SECONDS * 2.0 ** (attempts - 1), LONGEST_RETRY_SECONDS)
    return longest * random.uniform(0.5, 1.0)


async def _call(consumer: Consumer, each: Delivery, session: AsyncSession) -> None:
    kind = find_event(each.name)
    if kind is None:
        raise ValueError(f"This program has no event {each.name}.")
    await consumer.function(session, kind.read(each.version, each.data))
    inner = session.sync_session
    # New rows wait, so that a batch inserts them together. Rows that were read are forgotten: the next consumer shall see the
    # database, not what this one has read of it.
    if len(inner.identity_map):
        await session.flush()
        session.expunge_all()


async def prune(resources: Resources) -> int:
    """Delete some events that every consumer has had and that are older than KEPT_DAYS; returns how many."""
    before = clock.now() - timedelta(days=KEPT_DAYS)
    open_ones = select(delivery.c.position).where(
        delivery.c.position == outbox.c.position, delivery.c.state != DONE
    )
    old = (
        select(outbox.c.position)
        .where(outbox.c.published_at < before, outbox.c.relayed, ~open_ones.exists())
        .order_by(outbox.c.position)
        .limit(_PRUNE_ROWS)
    )
    async with unit_of_work(resources) as work:
        positions = list(await work.session.scalars(old))
        if positions:
            connection = await work.session.connection()
            await connection.execute(delete(delivery).where(delivery.c.position.in_(positions)))
            await connection.execute(delete(outbox).where(outbox.c.position.in_(positions)))
    return len(positions)

"""From a transaction to every consumer: once, in order, and only if the transaction was committed."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import text

from tests.kernel.events.conftest import (
    Counted,
    Failing,
    Ignored,
    count,
    noted,
    open_resources,
    query,
    run_dry,
)
from xumi.kernel import clock
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.events import publish
from xumi.kernel.events.relay import MAX_ATTEMPTS, Relay
from xumi.kernel.resources import Resources
from xumi.kernel.worker import Worker

everywhere = pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)


@everywhere
async def test_every_consumer_has_an_event_once(resources: Resources) -> None:
    await count(1, 2, 3)
    await run_dry(Relay(resources))
    await run_dry(Relay(resources))
    assert await noted() == [1, 2, 3]
    assert await noted(consumer="well") == [1, 2, 3]


async def test_an_event_of_a_transaction_that_was_rolled_back_does_not_exist(resources: Resources) -> None:
    async def fail() -> None:
        async with unit_of_work():
            publish(Counted(thing="a", number=1))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await fail()
    await run_dry(Relay(resources))
    assert await noted() == []
    assert await query("SELECT id FROM event_outbox") == []


async def test_a_savepoint_that_is_rolled_back_takes_its_events_along(resources: Resources) -> None:
    async with unit_of_work() as work:
        publish(Counted(thing="a", number=1))
        async with work.session.begin_nested():
            publish(Counted(thing="a", number=2))
        with suppress(ConnectionError):
            async with work.session.begin_nested():
                publish(Counted(thing="a", number=3))
                async with work.session.begin_nested():
                    publish(Counted(thing="a", number=4))
                raise ConnectionError
        publish(Counted(thing="a", number=5))
    await run_dry(Relay(resources))
    assert await noted() == [1, 2, 5]


async def test_publishing_needs_a_transaction(resources: Resources) -> None:
    with pytest.raises(RuntimeError, match="belongs to a transaction"):
        publish(Counted(thing="a", number=1))


async def test_what_was_published_before_a_rollback_is_forgotten(resources: Resources) -> None:
    async with unit_of_work() as work:
        publish(Counted(thing="a", number=1))
        await work.rollback()
        publish(Counted(thing="a", number=2))
    await run_dry(Relay(resources))
    assert await noted() == [2]


async def test_an_event_that_nobody_takes_is_kept(resources: Resources) -> None:
    async with unit_of_work():
        key = publish(Ignored(thing="a"))
    await run_dry(Relay(resources))
    assert await query("SELECT id, relayed FROM event_outbox") == [(key, True)]
    assert await query("SELECT * FROM event_delivery") == []


async def test_a_worker_is_woken_by_a_commit(resources: Resources) -> None:
    worker = Worker(resources, [Relay(resources)])
    worker.start()
    await asyncio.sleep(0.5)
    await count(1)
    async with asyncio.timeout(5):
        while await noted() != [1]:
            await asyncio.sleep(0.01)
    await worker.stop()


async def test_a_worker_is_woken_by_another_process(resources: Resources, database_url: str) -> None:
    other = await open_resources(database_url)
    worker = Worker(other, [Relay(other)])
    worker.start()
    await asyncio.sleep(0.5)
    await count(1)
    async with asyncio.timeout(5):
        while await noted() != [1]:
            await asyncio.sleep(0.01)
    await worker.stop()
    await other.close()


@everywhere
async def test_a_failure_blocks_its_aggregate_for_its_consumer_only(resources: Resources) -> None:
    Failing.at.add(("a", 2))
    await count(1, 2, 3)
    await count(7, 8, thing="b")
    relay = Relay(resources)
    await run_dry(relay)
    assert await noted() == [1]
    assert await noted(consumer="well") == [1, 2, 3]
    assert await noted("b") == [7, 8]
    assert await query("SELECT attempts, error FROM event_delivery WHERE attempts > 0") == [
        (1, "ConnectionError: planted")
    ]
    with clock.travel(seconds=2):
        Failing.at.clear()
        await run_dry(relay)
    assert await noted() == [1, 2, 3]


async def test_the_next_attempt_is_waited_for(resources: Resources) -> None:
    Failing.at.add(("a", 1))
    await count(1)
    relay = Relay(resources)
    while (wait := await relay.step()) == 0:
        pass
    assert wait is not None
    assert 0 < wait <= 1


async def test_poison_dies_and_the_others_go_on(resources: Resources) -> None:
    Failing.at.add(("a", 1))
    await count(1, 2)
    relay = Relay(resources)
    with clock.travel() as journey:
        for _ in range(MAX_ATTEMPTS):
            assert await noted() == []
            await run_dry(relay)
            journey.move(seconds=700)
        await run_dry(relay)
    assert await noted() == [2]
    assert await query("SELECT state, attempts FROM event_delivery WHERE state <> 'done'") == [
        ("dead", MAX_ATTEMPTS)
    ]


async def test_many_that_fail_spoil_no_others(resources: Resources) -> None:
    Failing.at.update(("a", number) for number in range(0, 30, 3))
    for number in range(30):
        await count(number, thing="a" if number % 3 == 0 else f"good{number % 3}")
    await run_dry(Relay(resources))
    assert await noted("good1") == list(range(1, 30, 3))
    assert await noted("good2") == list(range(2, 30, 3))
    assert await noted() == []


async def test_a_consumer_that_fails_leaves_nothing_behind(resources: Resources) -> None:
    Failing.at.add(("a", 1))
    await count(1)
    await run_dry(Relay(resources))
    assert Failing.calls
    assert await noted() == []


@everywhere
async def test_two_relays_share_the_work_and_keep_the_order(resources: Resources, database_url: str) -> None:
    other = await open_resources(database_url)
    for number in range(60):
        await count(number, thing=f"t{number % 4}")

    async def drain(held: Resources) -> None:
        relay = Relay(held)
        with held.context("relay"):
            while await query("SELECT 1 FROM event_outbox WHERE NOT relayed") or await query(
                "SELECT 1 FROM event_delivery WHERE state = 'pending' LIMIT 1"
            ):
                await relay.step()

    await asyncio.gather(drain(resources), drain(other))
    for thing in range(4):
        assert await noted(f"t{thing}") == list(range(thing, 60, 4))
        assert await noted(f"t{thing}", "well") == list(range(thing, 60, 4))
    await other.close()


async def test_positions_follow_the_locks_of_rows(resources: Resources) -> None:
    """Transactions that change one row publish its new state: consumers see the states in the order of the row's history."""
    async with unit_of_work() as work:
        await work.session.execute(text("CREATE TABLE thing (id VARCHAR(10), number INTEGER)"))
        await work.session.execute(text("INSERT INTO thing VALUES ('a', 0)"))

    async def change() -> None:
        with resources.context("change"):
            for _ in range(10):
                async with unit_of_work() as work:
                    await work.session.execute(text("UPDATE thing SET number = number + 1 WHERE id = 'a'"))
                    number = await work.session.scalar(text("SELECT number FROM thing"))
                    publish(Counted(thing="a", number=number or 0))

    relay = Relay(resources)

    async def deliver() -> None:
        with resources.context("relay"):
            while len(await noted()) < 40:
                await relay.step()

    async with asyncio.timeout(30):
        await asyncio.gather(deliver(), *(change() for _ in range(4)))
    assert await noted() == list(range(1, 41))

"""What was given up can be seen and begun again; what everybody has had goes after some days."""

import pytest
from sqlalchemy import text

from tests.kernel.events.conftest import Failing, Ignored, count, noted, query, run_dry
from xumi.kernel import clock, log
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.events import dead_letter, publish
from xumi.kernel.events.relay import KEPT_DAYS, MAX_ATTEMPTS, Relay, prune
from xumi.kernel.resources import Resources

CONSUMER = "conftest.note_count"


async def die(resources: Resources, number: int) -> None:
    """Publish an event that is given up."""
    Failing.at.add(("a", number))
    await count(number)
    relay = Relay(resources)
    with clock.travel() as journey:
        for _ in range(MAX_ATTEMPTS):
            await run_dry(relay)
            journey.move(seconds=700)
    Failing.at.clear()


async def test_a_dead_letter_is_listed_and_shown(resources: Resources) -> None:
    await die(resources, 1)
    async with unit_of_work() as work:
        (letter,) = await dead_letter.list_dead(work.session, 10)
        shown = await dead_letter.show(work.session, letter.event)
        assert await dead_letter.show(work.session, "no such event") is None
        backlogs = await dead_letter.backlogs(work.session, ["nobody"])
        assert await dead_letter.count_unsorted(work.session) == 0
    assert (letter.consumer, letter.aggregate, letter.error) == (CONSUMER, "a", "ConnectionError: planted")
    assert shown is not None
    assert shown[0]["data"] == '{"thing":"a","number":1}'
    assert [(each["consumer"], each["state"]) for each in shown[1]] == [
        ("conftest.note_as_well", "done"),
        (CONSUMER, "dead"),
    ]
    assert backlogs == [(CONSUMER, 0, 1, 0.0), ("nobody", 0, 0, 0.0)]


@pytest.mark.parametrize("chosen", [{}, {"consumer": CONSUMER}])
async def test_a_replayed_event_is_delivered(resources: Resources, chosen: dict[str, str]) -> None:
    await die(resources, 1)
    await count(2)
    await run_dry(Relay(resources))
    async with unit_of_work() as work:
        (letter,) = await dead_letter.list_dead(work.session, 10)
        assert await dead_letter.replay(work, resources, event="other") == 0
        assert await dead_letter.replay(work, resources, consumer="other") == 0
        assert await dead_letter.replay(work, resources, event=letter.event, **chosen) == 1
    await run_dry(Relay(resources))
    assert await noted() == [2, 1]


async def test_what_everybody_has_had_goes_and_the_rest_stays(resources: Resources) -> None:
    await die(resources, 1)
    await count(2)
    async with unit_of_work():
        publish(Ignored(thing="a"))
    await run_dry(Relay(resources))
    assert await prune(resources) == 0
    with clock.travel(seconds=(KEPT_DAYS + 1) * 86400):
        await count(3)
        assert await prune(resources) == 2
    left = await query("SELECT data FROM event_outbox ORDER BY position")
    assert [row[0] for row in left] == ['{"thing":"a","number":1}', '{"thing":"a","number":3}']


async def test_a_relay_prunes_from_time_to_time(resources: Resources) -> None:
    await count(1)
    relay = Relay(resources)
    await run_dry(relay)
    with clock.travel(seconds=(KEPT_DAYS + 1) * 86400):
        await run_dry(relay)
    assert await query("SELECT * FROM event_outbox") == []
    assert await query("SELECT * FROM event_delivery") == []


async def test_failures_are_told_with_the_event_and_the_publisher_s_request(resources: Resources) -> None:
    with resources.context("publisher") as context:
        await die(resources, 1)
        request_id = context.request_id
    ((key,),) = await query("SELECT id FROM event_outbox")
    Failing.at.add(("a", 1))
    async with unit_of_work() as work:
        await dead_letter.replay(work, resources)
    with log.capture() as lines:
        await run_dry(Relay(resources))
    (line,) = [line for line in lines if line["message"] == "event failed"]
    assert (line["event"], line["consumer"], line["request_id"]) == (key, CONSUMER, request_id)


async def test_an_event_that_this_program_does_not_know_waits(resources: Resources) -> None:
    await count(1)
    async with unit_of_work() as work:
        await work.session.execute(text("UPDATE event_outbox SET name = 'of.a.newer.version'"))
    await run_dry(Relay(resources))
    assert [row[0] for row in await query("SELECT state FROM event_delivery")] == ["pending"] * 2

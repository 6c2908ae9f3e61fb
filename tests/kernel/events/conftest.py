"""Events about things that are counted, consumers that note what they got, and relays that are stepped by hand."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.conftest import make_settings
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.events import Event, consumer, publish
from xumi.kernel.events.relay import Relay
from xumi.kernel.resources import Resources


class Counted(Event):
    """A thing was counted."""

    name = "thing.counted"
    aggregate = "thing"

    thing: str
    number: int


class Ignored(Event):
    """Nobody takes it."""

    name = "thing.ignored"
    aggregate = "thing"

    thing: str


class Failing:
    """What the consumer `note_count` fails at: thing and number."""

    at: ClassVar[set[tuple[str, int]]] = set()
    calls: ClassVar[list[tuple[str, int]]] = []


NOTE = text("INSERT INTO noted (consumer, thing, number) VALUES (:consumer, :thing, :number)")


@consumer(Counted)
async def note_count(session: AsyncSession, event: Counted) -> None:
    """Notes, and fails where told to after it has noted."""
    Failing.calls.append((event.thing, event.number))
    await session.execute(NOTE, {"consumer": "note", "thing": event.thing, "number": event.number})
    if (event.thing, event.number) in Failing.at:
        raise ConnectionError("planted")


@consumer(Counted)
async def note_as_well(session: AsyncSession, event: Counted) -> None:
    """Takes everything."""
    await session.execute(NOTE, {"consumer": "well", "thing": event.thing, "number": event.number})


_REST = "consumer VARCHAR(20), thing VARCHAR(50), number INTEGER)"
NOTED = {
    "sqlite": f"CREATE TABLE noted (id INTEGER PRIMARY KEY, {_REST}",
    "postgresql": f"CREATE TABLE noted (id INTEGER GENERATED ALWAYS AS IDENTITY, {_REST}",
    "mysql": f"CREATE TABLE noted (id INTEGER PRIMARY KEY AUTO_INCREMENT, {_REST}",
}


@pytest.fixture(autouse=True)
def nothing_fails() -> None:
    """Each test begins without planted failures."""
    Failing.at.clear()
    Failing.calls.clear()


async def open_resources(url: str) -> Resources:
    """What a process holds, without a worker."""
    resources = Resources(make_settings(url))
    await resources.start()
    return resources


@pytest.fixture
async def resources(database_url: str) -> AsyncIterator[Resources]:
    """A process with a table for what consumers note."""
    resources = await open_resources(database_url)
    with resources.context("test"):
        async with unit_of_work() as work:
            await work.session.execute(text(NOTED[resources.database.dialect]))
        yield resources
    await resources.close()


async def count(*numbers: int, thing: str = "a") -> None:
    """Publish in one transaction."""
    async with unit_of_work():
        for number in numbers:
            publish(Counted(thing=thing, number=number))


async def run_dry(*relays: Relay) -> None:
    """Step until nothing is due."""
    for relay in relays:
        while await relay.step() == 0:
            pass


async def noted(thing: str = "a", consumer: str = "note") -> list[int]:
    """What a consumer has noted, in its order."""
    async with unit_of_work() as work:
        rows = await work.session.execute(
            text("SELECT number FROM noted WHERE thing = :thing AND consumer = :consumer ORDER BY id"),
            {"thing": thing, "consumer": consumer},
        )
        return [row[0] for row in rows]


async def query(sql: str, **values: object) -> list[Any]:
    """Rows of a query."""
    async with unit_of_work() as work:
        return list((await work.session.execute(text(sql), values)).all())

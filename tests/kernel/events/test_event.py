"""How events and consumers are declared, and which declarations refuse to start."""

from typing import Any

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.errors import StartError
from xumi.kernel.events import Event, consumer
from xumi.kernel.events.consumer import find_consumer
from xumi.kernel.events.event import find_event


class Moved(Event):
    """Version 2: one field became two."""

    name = "test.moved"
    version = 2
    aggregate = "thing"

    thing: int
    place: str
    shelf: int

    @classmethod
    def upgrade(cls, version: int, data: dict[str, Any]) -> dict[str, Any]:
        place, _, shelf = data.pop("where").partition("/")
        return data | {"place": place, "shelf": int(shelf)}


class Kept(Event):
    """Has no upgrade."""

    name = "test.kept"
    version = 3
    aggregate = "thing"

    thing: str


def test_an_event_is_read_as_it_was_written() -> None:
    event = Moved(thing=7, place="hall", shelf=2)
    assert Moved.read(2, msgspec.json.encode(event).decode()) == event
    assert event.key == "7"
    assert find_event("test.moved") is Moved


def test_an_older_version_is_upgraded() -> None:
    assert Moved.read(1, '{"thing": 7, "where": "hall/2"}') == Moved(thing=7, place="hall", shelf=2)


@pytest.mark.parametrize(
    ("version", "data", "told"),
    [
        (2, '{"thing": "a"}', "define upgrade"),
        (4, '{"thing": "a"}', "update it"),
        (3, '{"thing": 1}', "Expected `str`"),
    ],
)
def test_what_cannot_be_read_is_an_error(version: int, data: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Kept.read(version, data)


@pytest.mark.parametrize("thing", ["", "x" * 101])
def test_a_key_has_1_to_100_characters(thing: str) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        _ = Kept(thing=thing).key


@pytest.mark.parametrize(
    ("namespace", "told"),
    [
        ({"aggregate": "thing"}, "needs a name"),
        ({"name": "x" * 101, "aggregate": "thing"}, "needs a name"),
        ({"name": "test.wrong"}, "keys its order"),
        ({"name": "test.wrong", "aggregate": "other"}, "keys its order"),
        ({"name": "test.moved", "aggregate": "thing"}, "exists already"),
    ],
)
def test_a_wrong_event_refuses_to_start(namespace: dict[str, Any], told: str) -> None:
    with pytest.raises(StartError, match=told):
        type("Wrong", (Event,), {"__annotations__": {"thing": str}, "__module__": __name__, **namespace})


def test_a_field_cannot_be_called_as_what_every_event_has() -> None:
    with pytest.raises(StartError, match="rename it"):
        type(
            "Wrong",
            (Event,),
            {
                "__annotations__": {"thing": str, "version": int},
                "__module__": __name__,
                "name": "test.wrong",
                "aggregate": "thing",
            },
        )


async def _take(session: AsyncSession, event: Kept) -> None:
    """A consumer."""


_take.__module__ = "modules.shop.consumers"
taken = _take


def test_a_consumer_is_named_by_feature_and_function() -> None:
    consumer(Kept)(_take)
    consumer(Kept)(_take)
    found = find_consumer("shop._take")
    assert found is not None
    assert found.function is _take


def test_a_wrong_consumer_refuses_to_start() -> None:
    def plain(session: AsyncSession, event: Kept) -> None: ...

    async def _take(session: AsyncSession, event: Kept) -> None: ...

    async def long(session: AsyncSession, event: Kept) -> None: ...

    consumer(Kept)(taken)
    _take.__module__ = "modules.family.shop.consumers.late"
    long.__name__ = "x" * 100
    for function, told in ((plain, "async def"), (_take, "rename one"), (long, "shorten it")):
        with pytest.raises(StartError, match=told):
            consumer(Kept)(function)  # type: ignore[arg-type]

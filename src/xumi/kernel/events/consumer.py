"""Who wants to know: functions of the features' `consumers` that take events.

    @consumer(OrderPaid)
    async def give_points(session: AsyncSession, event: OrderPaid) -> None:
        session.add(Points(user_id=event.user_id, fen=event.fen))

The function runs in a transaction that also notes that it has run: both are kept or neither, so that its effect in the database
happens once, however often the event is delivered. It does not commit, and it does not call other systems: such a call would
happen again when the transaction is repeated; enqueue a job for it. It may publish further events.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.errors import StartError
from xumi.kernel.events.event import Event

E = TypeVar("E", bound=Event)

MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Consumer:
    """A function that takes events of one type.

    Attributes:
        name: `<feature>.<function>`; the database keeps it, so that a function that is renamed is another consumer.
    """

    name: str
    event: type[Event]
    function: Callable[[AsyncSession, Any], Awaitable[None]]
    home: str


_registry: dict[str, Consumer] = {}
_names_of: dict[str, str] = {}


def consumer(
    event: type[E],
) -> Callable[[Callable[[AsyncSession, E], Awaitable[None]]], Callable[[AsyncSession, E], Awaitable[None]]]:
    """Let a coroutine function take every event of a type, from those on that are published while it exists.

    Raises:
        StartError: the function is no coroutine function, or another one has its name.
    """

    def register(
        function: Callable[[AsyncSession, E], Awaitable[None]],
    ) -> Callable[[AsyncSession, E], Awaitable[None]]:
        home = f"{function.__module__}.{function.__qualname__}"
        name = f"{_feature(function.__module__)}.{function.__name__}"
        if not inspect.iscoroutinefunction(function):
            raise StartError(f"Consumer {home} must be `async def`.")
        if len(name) > MAX_NAME:
            raise StartError(f"Consumer {name} has a name of more than {MAX_NAME} characters: shorten it.")
        other = _registry.get(name)
        if other is not None and other.home != home:
            raise StartError(
                f"Consumer {name!r} of {home} exists already in {other.home}: rename one of them."
            )
        _registry[name] = Consumer(name, event, function, home)
        _names_of.clear()
        return function

    return register


def consumers() -> list[Consumer]:
    """All consumers of the features that are loaded, by name."""
    return [_registry[name] for name in sorted(_registry)]


def find_consumer(name: str) -> Consumer | None:
    """The consumer of this name."""
    return _registry.get(name)


def names_of_consumers(event: type[Event]) -> str:
    """Who takes events of this type: names with commas between them."""
    names = _names_of.get(event.name)
    if names is None:
        names = ",".join(each.name for each in consumers() if each.event.name == event.name)
        _names_of[event.name] = names
    return names


def _feature(module: str) -> str:
    """The feature's name: what stands before `.consumers` in the module's."""
    before, found, _ = f"{module}.".partition(".consumers.")
    return (before if found else module).rpartition(".")[2]

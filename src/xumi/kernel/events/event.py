"""What has happened: the base class of events.

    class OrderPaid(Event):
        name = "order.paid"
        aggregate = "order_id"

        order_id: str
        fen: int

`name` and `version` are what the database keeps, so that the class may be renamed and moved. Events with the same value of the
field `aggregate` reach each consumer in the order in which their transactions were committed.
"""

from typing import Any, ClassVar, Self

import msgspec

from xumi.kernel.errors import StartError

MAX_NAME = 100
MAX_KEY = 100

_registry: dict[str, type["Event"]] = {}


class Event(msgspec.Struct):
    """Base of events; fields are annotated as in a dataclass, with any type that `msgspec` can write as JSON.

    Attributes:
        name: stable and unique, in the past tense: `order.paid`.
        version: of the fields; raise it with a change that events kept from before do not fit, and define `upgrade`.
        aggregate: the field that names what it happened to, a text or an integer.

    Raises:
        StartError: a subclass has no usable name or aggregate, or the name of another one.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    aggregate: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _register(cls)

    @classmethod
    def upgrade(cls, version: int, data: dict[str, Any]) -> dict[str, Any]:
        """Turn the fields of an older version into today's; consumers then see only today's.

        Raises:
            ValueError: nobody has written how.
        """
        raise ValueError(f"{cls.__name__} cannot read version {version} of {cls.name}: define upgrade().")

    @classmethod
    def read(cls, version: int, data: str) -> Self:
        """The event that was kept as this JSON.

        Raises:
            ValueError: it is of a newer version than this program knows, or does not fit (`msgspec.ValidationError`).
        """
        if version == cls.version:
            return msgspec.json.decode(data, type=cls)
        if version > cls.version:
            raise ValueError(
                f"{cls.name} has version {version}, this program knows {cls.version}: update it."
            )
        return msgspec.convert(cls.upgrade(version, msgspec.json.decode(data)), cls)

    @property
    def key(self) -> str:
        """The value of the field `aggregate`, as text.

        Raises:
            ValueError: it is empty or longer than 100 characters.
        """
        key = str(getattr(self, self.aggregate))
        if not 0 < len(key) <= MAX_KEY:
            raise ValueError(
                f"{self.aggregate} of {self.name} has {len(key)} characters, 1 to {MAX_KEY} are allowed."
            )
        return key


def find_event(name: str) -> type[Event] | None:
    """The class of this name, if this program has one."""
    return _registry.get(name)


def _register(event: type[Event]) -> None:
    home = f"{event.__module__}.{event.__qualname__}"
    own = vars(event)
    name = own.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise StartError(f'Event {home} needs a name, for example name = "order.paid".')
    fields = {field for kind in event.__mro__ for field in vars(kind).get("__annotations__", {})}
    if own.get("aggregate") not in fields - {"name", "version", "aggregate"}:
        raise StartError(f"Event {home} must say which of its fields keys its order: aggregate = …")
    if taken := {"name", "version", "aggregate"} & own.get("__annotations__", {}).keys():
        raise StartError(
            f"Event {home} has a field {', '.join(sorted(taken))}, which every event has: rename it."
        )
    other = _registry.get(name)
    # The same class imported again (a test, a reload) is no duplicate.
    if other is not None and f"{other.__module__}.{other.__qualname__}" != home:
        raise StartError(
            f"Event {name!r} of {home} exists already in {other.__module__}.{other.__qualname__}: rename one of them."
        )
    _registry[name] = event

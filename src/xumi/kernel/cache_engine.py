"""Where the cache keeps its bytes: the port that every engine has, and the engine in this process's memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple, Protocol
from weakref import WeakSet

from xumi.kernel import clock, metrics

MAX_ENTRIES = 100_000
# What an entry costs beside its key and data: about the size of its Python objects.
ENTRY_OVERHEAD_BYTES = 400


class Entry(NamedTuple):
    """What is kept under a key.

    Attributes:
        data: the value, encoded.
        tags: names by which it can be deleted together with others.
        fresh_seconds: how long it is good.
        stale_seconds: how much longer it may be given to those who would have to wait for a new one.
    """

    data: bytes
    tags: frozenset[str]
    fresh_seconds: float
    stale_seconds: float


class Found(NamedTuple):
    """An entry's data, and whether it is still good."""

    data: bytes
    fresh: bool


class Fill:
    """A value that is being computed; worthless as soon as its key or one of its tags is deleted."""

    __slots__ = ("__weakref__", "intact", "key", "tags")

    def __init__(self, key: str, tags: frozenset[str]) -> None:
        self.key, self.tags, self.intact = key, tags, True


class CacheEngine(Protocol):
    """What a cache needs of its storage."""

    async def read(self, key: str) -> Found | None:
        """What is there, also what is not fresh any more."""
        ...

    async def begin(self, key: str, tags: frozenset[str]) -> Fill:
        """Note that a value is going to be computed from what can be read from now on."""
        ...

    async def write(self, fill: Fill, entry: Entry) -> bool:
        """Keep a value, unless its key or a tag was deleted since the beginning; says whether it is kept."""
        ...

    async def delete(self, keys: Iterable[str], tags: Iterable[str]) -> None:
        """Take away what is under these keys and tags, and what is being computed for them."""
        ...


class _Kept(NamedTuple):
    entry: Entry
    fresh_until: float
    kept_until: float
    size: int


class MemoryEngine:
    """Keeps entries in this process, the least recently used go first when there is no room.

    Args:
        max_bytes: what keys, data and their bookkeeping may take, about; 0 keeps nothing.
        max_entries: how many there may be.
    """

    def __init__(self, max_bytes: int, max_entries: int = MAX_ENTRIES) -> None:
        self._max_bytes, self._max_entries = max_bytes, max_entries
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._keys_of_tag: dict[str, set[str]] = {}
        self._fills: WeakSet[Fill] = WeakSet()
        self._bytes = 0

    async def read(self, key: str) -> Found | None:
        """What is there; it counts as used."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        now = clock.monotonic()
        if now >= kept.kept_until:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return Found(kept.entry.data, now < kept.fresh_until)

    async def begin(self, key: str, tags: frozenset[str]) -> Fill:
        """A fill that `delete` finds as long as somebody holds it."""
        fill = Fill(key, tags)
        self._fills.add(fill)
        return fill

    async def write(self, fill: Fill, entry: Entry) -> bool:
        """Keep a value, and make room for it; one that is larger than all the room is not kept."""
        size = len(fill.key.encode()) + len(entry.data) + ENTRY_OVERHEAD_BYTES
        if not fill.intact or size > self._max_bytes:
            return False
        self._drop(fill.key)
        while self._kept and (self._bytes + size > self._max_bytes or len(self._kept) >= self._max_entries):
            self._drop(next(iter(self._kept)))
            metrics.CACHE_EVICTIONS.inc()
        fresh_until = clock.monotonic() + entry.fresh_seconds
        self._kept[fill.key] = _Kept(entry, fresh_until, fresh_until + entry.stale_seconds, size)
        for tag in entry.tags:
            self._keys_of_tag.setdefault(tag, set()).add(fill.key)
        self._count(size)
        return True

    async def delete(self, keys: Iterable[str], tags: Iterable[str]) -> None:
        """Take entries away, and spoil the fills that are under way."""
        named, tagged = set(keys), set(tags)
        for fill in list(self._fills):
            if fill.key in named or not tagged.isdisjoint(fill.tags):
                fill.intact = False
        for tag in tagged:
            named |= self._keys_of_tag.get(tag, set())
        for key in named:
            self._drop(key)

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        for tag in kept.entry.tags:
            keys = self._keys_of_tag[tag]
            keys.discard(key)
            if not keys:
                del self._keys_of_tag[tag]
        self._count(-kept.size)

    def _count(self, size: int) -> None:
        self._bytes += size
        metrics.CACHE_BYTES.inc(size)

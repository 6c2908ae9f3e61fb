"""The cache: values that are dear to compute and may be a little old.

    @cached(key="article:{article_id}", ttl_seconds=60, tags=("articles",))
    async def load_article(article_id: str) -> ArticleOut: …

    await load_article.forget(article_id)                     # in the service that changes it
    await current().resources.cache.delete_tags("articles")

What is deleted inside a unit of work is deleted after its commit, and a value that was being computed meanwhile is not kept:
nobody finds again what was true before the change. In memory each process has a cache of its own; what one deletes the others
keep until its time is over.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from operator import attrgetter
from string import Formatter
from typing import Any, Generic, ParamSpec, TypeVar, cast, get_type_hints
from urllib.parse import quote
from weakref import WeakSet

import msgspec
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import metrics
from xumi.kernel.cache_engine import CacheEngine, Entry
from xumi.kernel.context import current, find_current
from xumi.kernel.db.read import primary
from xumi.kernel.db.session import UnitOfWork
from xumi.kernel.errors import StartError

T = TypeVar("T")
P = ParamSpec("P")

# Entries that were made together do not all end together.
JITTER = 0.1


def _dump(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"a {type(value).__name__} cannot be cached: return what msgspec or pydantic can encode.")


def _load(kind: type, value: Any) -> Any:
    if issubclass(kind, BaseModel):
        return kind.model_validate(value, by_alias=True, by_name=True)
    raise TypeError(f"a {kind.__name__} cannot be cached: return what msgspec or pydantic can encode.")


_encode = msgspec.msgpack.Encoder(enc_hook=_dump).encode


@functools.lru_cache(maxsize=1024)
def _decoder(kind: Any) -> Callable[[bytes], Any]:
    return msgspec.msgpack.Decoder(kind, dec_hook=_load).decode


class _Flight:
    """A value that is being computed now, for all who want it."""

    __slots__ = ("future", "tags")

    def __init__(self, tags: frozenset[str]) -> None:
        self.tags = tags
        self.future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()


class Cache:
    """What the process keeps of computed values. Values go in and come out as copies.

    Args:
        engine: where the bytes are.
    """

    def __init__(self, engine: CacheEngine) -> None:
        self._engine = engine
        self._flights: dict[str, _Flight] = {}
        # Units of work that have deleted something: they read past the cache, in which their own change is not yet known.
        self._changing: WeakSet[UnitOfWork] = WeakSet()

    async def get(self, key: str, kind: type[T]) -> T | None:
        """The value under a key, or None.

        Raises:
            msgspec.ValidationError: what is there is not of this kind.
        """
        found = None if self._is_changing() else await self._engine.read(key)
        if found is None or not found.fresh:
            metrics.CACHE_MISSES.inc()
            return None
        metrics.CACHE_HITS.inc()
        return cast(T, _decoder(cast(Any, kind))(found.data))

    async def set(self, key: str, value: object, *, ttl_seconds: float, tags: Iterable[str] = ()) -> None:
        """Keep a value; inside a unit of work, after its commit. (Of two that set one key at once, either may win.)"""
        names, data = frozenset(tags), _encode(value)

        async def write() -> None:
            await self._delete((key,), ())
            await self._engine.write(await self._engine.begin(key, names), _entry(data, names, ttl_seconds))

        await self._after_commit(write)

    async def delete(self, *keys: str) -> None:
        """Take away what is under these keys; inside a unit of work, after its commit."""
        await self._after_commit(lambda: self._delete(keys, ()))

    async def delete_tags(self, *tags: str) -> None:
        """Take away everything that has one of these tags; inside a unit of work, after its commit."""
        await self._after_commit(lambda: self._delete((), tags))

    async def get_or_compute(
        self,
        key: str,
        compute: Callable[[], Awaitable[T]],
        kind: Any,
        *,
        ttl_seconds: float,
        tags: Iterable[str] = (),
    ) -> T:
        """The value under a key; where there is none, or none that is fresh, it is computed and kept.

        Of many who want it at once, one computes. The others get the value that is no longer fresh, for as long again as it
        was fresh, or else wait; his failure is theirs too and is not kept, and when he is cancelled another one computes.
        Inside an open transaction nothing that was computed is kept: it may be of what will never be committed.

        Args:
            key: its name.
            compute: makes the value.
            kind: the type of the value: anything that msgspec decodes, pydantic models too.
            ttl_seconds: how long it is fresh; up to a tenth less, by chance.
            tags: names by which it can be deleted together with others.
        """
        decode = _decoder(kind)
        work, changing = _work(), self._is_changing()
        alone = changing or (work is not None and work.active)
        while True:
            found = None if changing else await self._engine.read(key)
            if found is not None and found.fresh:
                metrics.CACHE_HITS.inc()
                return cast(T, decode(found.data))
            flight = None if alone else self._flights.get(key)
            if flight is None:
                break
            metrics.CACHE_SHARED.inc()
            if found is not None:
                return cast(T, decode(found.data))
            await asyncio.wait({flight.future})
            if not flight.future.cancelled():
                return cast(T, decode(flight.future.result()))
        metrics.CACHE_MISSES.inc()
        if alone:
            return cast(T, decode(_encode(await compute())))
        return cast(T, decode(await self._compute(key, compute, frozenset(tags), ttl_seconds)))

    async def _compute(
        self, key: str, compute: Callable[[], Awaitable[object]], tags: frozenset[str], ttl_seconds: float
    ) -> bytes:
        flight = self._flights[key] = _Flight(tags)
        try:
            fill = await self._engine.begin(key, tags)
            # A replica may not know yet what was changed: the old value would be kept for the whole time.
            with primary():
                data = _encode(await compute())
            await self._engine.write(fill, _entry(data, tags, ttl_seconds))
        except Exception as error:
            flight.future.set_exception(error)
            # Nobody may be waiting: then it is no error that nobody has looked.
            flight.future.exception()
            raise
        except BaseException:
            flight.future.cancel()
            raise
        else:
            flight.future.set_result(data)
            return data
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]

    async def _after_commit(self, change: Callable[[], Awaitable[None]]) -> None:
        work = _work()
        if work is None:
            await change()
            return

        async def run() -> None:
            self._changing.discard(work)
            await change()

        self._changing.add(work)
        work.after_commit(run)

    async def _delete(self, keys: Iterable[str], tags: Iterable[str]) -> None:
        """Delete, and let nobody who comes from now on wait for a value that was begun before."""
        named, tagged = set(keys), set(tags)
        for key, flight in list(self._flights.items()):
            if key in named or not tagged.isdisjoint(flight.tags):
                del self._flights[key]
        await self._engine.delete(named, tagged)

    def _is_changing(self) -> bool:
        return bool(self._changing) and _work() in self._changing


def _work() -> UnitOfWork | None:
    context = find_current()
    return None if context is None else context.unit_of_work


def _entry(data: bytes, tags: frozenset[str], ttl_seconds: float) -> Entry:
    return Entry(data, tags, ttl_seconds * random.uniform(1 - JITTER, 1), ttl_seconds)


class CachedFunction(Generic[P, T]):
    """A function whose values are cached; made by `cached`."""

    def __init__(
        self, function: Callable[P, Awaitable[T]], key: str, ttl_seconds: float, tags: Sequence[str]
    ) -> None:
        functools.update_wrapper(self, function)
        name = f"{function.__module__}.{function.__qualname__}"
        hints = get_type_hints(function)
        if "return" not in hints:
            raise StartError(f"{name}: a cached function says what it returns (-> …).")
        self._function = function
        self._kind = hints.pop("return")
        self._ttl_seconds = ttl_seconds
        self._signature = inspect.signature(function)
        self._key = _template(key)
        self._tags = [_template(tag) for tag in tags]
        used = {field.partition(".")[0] for _, field, _, _ in Formatter().parse(key) if field}
        # A session is where the value comes from, and no part of what it is.
        wanted = {field for field in self._signature.parameters if hints.get(field) is not AsyncSession}
        if missing := sorted(wanted - used):
            raise StartError(
                f"{name}: its key {key!r} leaves out {', '.join(missing)}: two calls that differ there would share a value."
            )

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        values = self._bind(*args, **kwargs)
        return await current().resources.cache.get_or_compute(
            self._key(values),
            lambda: self._function(*args, **kwargs),
            self._kind,
            ttl_seconds=self._ttl_seconds,
            tags=[tag(values) for tag in self._tags],
        )

    async def forget(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Delete the value for these arguments; inside a unit of work, after its commit."""
        await current().resources.cache.delete(self._key(self._bind(*args, **kwargs)))

    def _bind(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments


def cached(
    *, key: str, ttl_seconds: float, tags: Sequence[str] = ()
) -> Callable[[Callable[P, Awaitable[T]]], CachedFunction[P, T]]:
    """Cache what an async function returns.

    Args:
        key: names the value by the function's arguments, all of them: `article:{article_id}` or `seen:{user.id}`.
        ttl_seconds: how long a value is fresh.
        tags: names to delete it by, together with others; with arguments like the key.

    Raises:
        StartError: the function does not say what it returns, or the key leaves out one of its arguments.
    """
    return lambda function: CachedFunction(function, key, ttl_seconds, tags)


def _template(text: str) -> Callable[[dict[str, Any]], str]:
    """Puts arguments into a text, each so that no other arguments give the same text."""
    parts: list[tuple[str, str, Callable[[Any], Any] | None]] = []
    for literal, field, _, _ in Formatter().parse(text):
        name, _, attribute = (field or "").partition(".")
        parts.append((literal, name, attrgetter(attribute) if attribute else None))

    def fill(values: dict[str, Any]) -> str:
        written = []
        for literal, name, get in parts:
            written.append(literal)
            if name:
                value = get(values[name]) if get else values[name]
                # No text becomes a lone percent sign.
                written.append("%" if value is None else quote(str(value), safe=""))
        return "".join(written)

    return fill

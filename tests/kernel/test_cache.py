"""The cache: what is found, what is computed and by whom, what is forgotten and when."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.conftest import make_settings
from xumi.kernel import clock, metrics
from xumi.kernel.cache import Cache, cached
from xumi.kernel.cache_engine import ENTRY_OVERHEAD_BYTES, MemoryEngine
from xumi.kernel.context import Context, current, enter
from xumi.kernel.counters import Counter
from xumi.kernel.db.read import fetch_all, fetch_value
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import StartError
from xumi.kernel.ids import generate_key
from xumi.kernel.resources import Resources
from xumi.kernel.schema import SchemaBase

pytestmark = pytest.mark.anyio


class Named(SchemaBase):
    """A counter as it is read."""

    id: str
    name: str
    value: int


class Source:
    """Something that is dear to compute: each call gives the next number."""

    def __init__(self) -> None:
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.error: Exception | None = None

    async def compute(self) -> int:
        self.calls += 1
        number = self.calls
        self.entered.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return number

    def close(self) -> None:
        self.gate.clear()
        self.entered.clear()


@pytest.fixture
async def resources(sqlite_url: str) -> AsyncIterator[Resources]:
    """A started process on a database of its own."""
    opened = Resources(make_settings(sqlite_url))
    await opened.start()
    yield opened
    await opened.close()


@pytest.fixture
async def cache(resources: Resources) -> AsyncIterator[Cache]:
    """The cache of a piece of work that runs."""
    with resources.context("test"):
        yield resources.cache


@pytest.fixture
def source() -> Source:
    return Source()


async def get(cache: Cache, source: Source, *, tags: tuple[str, ...] = ()) -> int:
    return await cache.get_or_compute("key", source.compute, int, ttl_seconds=60, tags=tags)


async def write(name: str) -> None:
    """Something in the running transaction."""
    session = current().unit_of_work
    assert session is not None
    session.session.add(Counter(name=name, value=1, ends=0.0))


async def test_a_value_is_kept_until_its_time_is_over(cache: Cache) -> None:
    assert await cache.get("a", int) is None
    await cache.set("a", 1, ttl_seconds=60)
    assert await cache.get("a", int) == 1
    with clock.travel(seconds=53):
        assert await cache.get("a", int) == 1
    with clock.travel(seconds=61):
        assert await cache.get("a", int) is None
    await cache.delete("a", "b")
    assert await cache.get("a", int) is None


async def test_values_do_not_end_all_at_once(cache: Cache) -> None:
    for number in range(100):
        await cache.set(str(number), number, ttl_seconds=100)
    with clock.travel(seconds=95):
        left = [number for number in range(100) if await cache.get(str(number), int) is not None]
    assert 0 < len(left) < 100


async def test_values_come_out_as_copies(cache: Cache) -> None:
    mine = {"list": [1], "at": datetime(2026, 1, 1, tzinfo=UTC)}
    await cache.set("a", mine, ttl_seconds=60)
    mine["list"].append(2)  # type: ignore[attr-defined]
    first = await cache.get("a", dict[str, Any])
    assert first is not None
    assert first["list"] == [1]
    first["list"].append(3)
    assert await cache.get("a", dict[str, Any]) == {"list": [1], "at": datetime(2026, 1, 1, tzinfo=UTC)}


async def test_what_cannot_be_encoded_is_refused(cache: Cache) -> None:
    with pytest.raises(TypeError, match="a Source cannot be cached"):
        await cache.set("a", Source(), ttl_seconds=1)
    await cache.set("a", {}, ttl_seconds=60)
    with pytest.raises(msgspec.ValidationError, match="a Source cannot be cached"):
        await cache.get("a", Source)


async def test_a_tag_takes_all_that_have_it(cache: Cache) -> None:
    for key, tags in (("a", ("x",)), ("b", ("x", "y")), ("c", ("y",)), ("d", ())):
        await cache.set(key, key, ttl_seconds=60, tags=tags)
    await cache.delete_tags("x", "nobody's")
    assert [await cache.get(key, str) for key in "abcd"] == [None, None, "c", "d"]
    await cache.delete_tags("y")
    assert [await cache.get(key, str) for key in "abcd"] == [None, None, None, "d"]


async def test_one_computes_for_all(cache: Cache, source: Source) -> None:
    source.close()
    tasks = [asyncio.create_task(get(cache, source)) for _ in range(100)]
    await source.entered.wait()
    await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.gather(*tasks) == [1] * 100
    assert await get(cache, source) == 1
    assert source.calls == 1


async def test_a_value_that_is_old_serves_while_one_computes(cache: Cache, source: Source) -> None:
    assert await get(cache, source) == 1
    with clock.travel(seconds=61):
        source.close()
        computing = asyncio.create_task(get(cache, source))
        await source.entered.wait()
        assert await get(cache, source) == 1
        source.gate.set()
        assert await computing == 2
        assert await get(cache, source) == 2
    with clock.travel(seconds=200):
        assert await get(cache, source) == 3


async def test_a_failure_reaches_all_and_is_not_kept(cache: Cache, source: Source) -> None:
    source.close()
    source.error = ZeroDivisionError()
    tasks = [asyncio.create_task(get(cache, source)) for _ in range(10)]
    await source.entered.wait()
    await asyncio.sleep(0)
    source.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ZeroDivisionError] * 10
    source.error = None
    assert await get(cache, source) == 2


async def test_another_takes_over_from_one_who_is_cancelled(cache: Cache, source: Source) -> None:
    source.close()
    first = asyncio.create_task(get(cache, source))
    await source.entered.wait()
    waiting = [asyncio.create_task(get(cache, source)) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    waiting[0].cancel()
    source.gate.set()
    results = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [type(result) for result in results[:2]] == [asyncio.CancelledError] * 2
    assert results[2:] == [2] * 4
    assert source.calls == 2


async def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    evicted = metrics.CACHE_EVICTIONS._value.get()
    cache = Cache(MemoryEngine(10 * (ENTRY_OVERHEAD_BYTES + 100), max_entries=8))
    for number in range(8):
        await cache.set(str(number), number, ttl_seconds=60)
    assert await cache.get("0", int) == 0
    await cache.set("8", 8, ttl_seconds=60)
    assert [await cache.get(str(number), int) for number in (0, 1, 8)] == [0, None, 8]
    await cache.set("large", "x" * 6 * ENTRY_OVERHEAD_BYTES, ttl_seconds=60)
    assert [await cache.get(str(number), int) for number in (2, 3, 4, 5)] == [None, None, None, 5]
    await cache.set("too large", "x" * 20 * ENTRY_OVERHEAD_BYTES, ttl_seconds=60)
    assert await cache.get("too large", str) is None
    assert await cache.get("large", str) is not None
    assert metrics.CACHE_EVICTIONS._value.get() > evicted


async def test_a_cache_without_room_computes_each_time(source: Source) -> None:
    cache = Cache(MemoryEngine(0))
    assert [await get(cache, source) for _ in range(2)] == [1, 2]


async def test_a_deletion_waits_for_the_commit(cache: Cache, source: Source) -> None:
    assert await get(cache, source, tags=("t",)) == 1
    for delete in (lambda: cache.delete("key"), lambda: cache.delete_tags("t")):
        kept = source.calls
        async with unit_of_work() as work:
            await write(generate_key())
            await delete()
            with enter(Context(current().resources, "another")):
                assert await get(cache, source, tags=("t",)) == kept
            assert await cache.get("key", int) is None
            # One's own change must be seen, and nobody else may see it yet.
            assert await get(cache, source, tags=("t",)) == kept + 1
            assert work.active
        with enter(Context(current().resources, "another")):
            assert await get(cache, source, tags=("t",)) == kept + 2


async def test_a_rollback_forgets_the_deletion(cache: Cache) -> None:
    await cache.set("key", 1, ttl_seconds=60)

    async def fail() -> None:
        async with unit_of_work():
            await cache.delete("key")
            await cache.set("other", 2, ttl_seconds=60)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await cache.get("key", int) == 1
    assert await cache.get("other", int) is None


async def test_what_is_set_in_a_unit_of_work_is_there_after_it(cache: Cache) -> None:
    async with unit_of_work():
        await cache.set("key", 1, ttl_seconds=60)
        with enter(Context(current().resources, "another")):
            assert await cache.get("key", int) is None
    assert await cache.get("key", int) == 1


async def test_nothing_uncommitted_is_kept(cache: Cache, source: Source) -> None:
    async with unit_of_work() as work:
        await write("a")
        await work.session.flush()
        assert await get(cache, source) == 1
        await work.rollback()
    assert await cache.get("key", int) is None


@pytest.mark.parametrize("way", ["key", "tag"])
@pytest.mark.parametrize("another", [False, True])
async def test_a_value_read_before_a_change_is_not_kept_after_it(
    cache: Cache, source: Source, way: str, another: bool
) -> None:
    """A reader has read the old value and not yet stored it when the change is committed."""
    source.close()
    reader = asyncio.create_task(get(cache, source, tags=("t",)))
    await source.entered.wait()
    async with unit_of_work():
        await write("a")
        await (cache.delete("key") if way == "key" else cache.delete_tags("t"))
    late = None
    if another:
        # Who comes after the commit does not wait for the old value.
        late = asyncio.create_task(get(cache, source, tags=("t",)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    source.gate.set()
    assert await reader == 1
    assert late is None or await late == 2
    assert await get(cache, source, tags=("t",)) == 2


async def test_readers_never_find_what_was_before_a_commit_they_know_of(
    cache: Cache, resources: Resources
) -> None:
    """One writes and forgets, others read all the time: whoever begins after a commit sees its value."""
    committed = 0

    @cached(key="counter:{name}", ttl_seconds=60)
    async def load(name: str) -> int:
        value = await fetch_value(select(Counter.value).where(Counter.name == name))
        await asyncio.sleep(0)
        return int(value or 0)

    async with unit_of_work() as work:
        work.session.add(Counter(name="n", value=0, ends=0.0))
    checked = 0

    async def read() -> None:
        nonlocal checked
        with enter(Context(resources, "reader")):
            while committed < 100:
                known = committed
                assert await load("n") >= known
                checked += 1
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(read())
        for number in range(1, 101):
            async with unit_of_work() as work:
                await work.session.execute(text("UPDATE kernel_counter SET value = :n"), {"n": number})
                await load.forget("n")
            committed = number
    assert checked > 100
    assert await load("n") == 100


async def test_a_function_is_cached_by_its_arguments(cache: Cache) -> None:
    calls: list[Any] = []

    plain = cached(key="sum:{a}:{b}", ttl_seconds=60, tags=("a:{a}",))(joined(calls))
    assert (plain.__name__, plain.__doc__) == ("join", "Join two.")
    for arguments in (("x", "y"), ("x:y", ""), ("x", ":y"), ("x", None), ("x", "%"), ("x", "None")):
        for _ in range(2):
            assert await plain(*arguments) == f"{arguments[0]}+{arguments[1]}"
    assert len(calls) == 6
    await plain.forget("x", b="y")
    await plain("x", "y")
    assert len(calls) == 7
    await cache.delete_tags("a:x")
    await plain("x", "y")
    await plain("x:y", "")
    assert len(calls) == 8


def joined(calls: list[Any]) -> Any:
    async def join(a: str, b: str | None = None) -> str:
        """Join two."""
        calls.append((a, b))
        return f"{a}+{b}"

    return join


async def test_rows_and_schemas_are_cached(cache: Cache) -> None:
    async with unit_of_work() as work:
        work.session.add(Counter(id="A" * 26, name="n", value=3, ends=0.0))

    @cached(key="all", ttl_seconds=60)
    async def load() -> list[Named]:
        return await fetch_all(select(Counter), Named)

    @cached(key="one", ttl_seconds=60)
    async def load_one() -> Named | None:
        return Named(id="1", name="x", value=1)

    for _ in range(2):
        assert await load() == [Named(id="A" * 26, name="n", value=3)]
        assert await load_one() == Named(id="1", name="x", value=1)


def test_a_declaration_that_would_mix_values_up_is_refused() -> None:
    async def load(a: str, b: str) -> int:
        return 1

    async def untyped(a: str):  # type: ignore[no-untyped-def]
        return 1

    async def with_session(session: AsyncSession, a: str) -> int:
        return 1

    with pytest.raises(StartError, match="leaves out b"):
        cached(key="x:{a}", ttl_seconds=1)(load)
    with pytest.raises(StartError, match="says what it returns"):
        cached(key="x:{a}", ttl_seconds=1)(untyped)
    cached(key="x:{a.name}", ttl_seconds=1)(with_session)


async def test_figures_are_counted(cache: Cache, source: Source) -> None:
    def figures() -> dict[str, float]:
        found = re.findall(
            r'^xumi_cache_reads_total\{result="(\w+)"\} (\S+)$', metrics.render()[0].decode(), re.M
        )
        return {name: float(value) for name, value in found}

    before = figures()
    source.close()
    tasks = [asyncio.create_task(get(cache, source)) for _ in range(3)]
    await source.entered.wait()
    await asyncio.sleep(0)
    source.gate.set()
    await asyncio.gather(*tasks)
    await get(cache, source)
    after = figures()
    assert {name: after[name] - before[name] for name in after} == {"miss": 1, "shared": 2, "hit": 1}

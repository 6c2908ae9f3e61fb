"""What a process holds of the database in memory: one poll for all of it, and what the log says while it grows old."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import event

from xumi.api import Application
from xumi.kernel import clock, copies
from xumi.kernel.copies import STALE_SECONDS, Copies, Copy
from xumi.kernel.log import capture

pytestmark = pytest.mark.anyio


class Noting(Copy):
    """Writes down what is asked of it."""

    what, meanwhile = "prices", "those of yesterday count"

    def __init__(self, name: str, notes: list[str]) -> None:
        super().__init__()
        self.name, self.notes = name, notes
        self.fails: Exception | None = None
        self.silent: list[float] = []

    async def read(self) -> None:
        await asyncio.sleep(0)
        if self.fails is not None:
            raise self.fails
        self.notes.append(f"{self.name} read")

    async def tend(self) -> None:
        self.notes.append(f"{self.name} tended")

    def outlast(self, silent_seconds: float) -> None:
        self.silent.append(silent_seconds)


@asynccontextmanager
async def polling(*followed: Copy) -> AsyncIterator[asyncio.Event]:
    """Poll for these; gives the event that does not let it wait."""
    hurry = asyncio.Event()
    polled = Copies(hurry)
    async with AsyncExitStack() as stack:
        for copy in followed:
            await stack.enter_async_context(polled.follow(copy))
        task = asyncio.create_task(polled.run())
        yield hurry
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_true():
            await asyncio.sleep(0.001)


async def test_all_copies_are_read_in_their_order_and_then_tended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "POLL_SECONDS", 0.001)
    notes: list[str] = []
    one_round = ["first read", "second read", "first tended", "second tended"]
    async with polling(Noting("first", notes), Noting("second", notes)):
        await until(lambda: len(notes) >= 8)
    assert notes[:8] == one_round * 2


async def test_who_is_in_a_hurry_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "POLL_SECONDS", 3600)
    notes: list[str] = []
    async with polling(Noting("first", notes)) as hurry:
        await asyncio.sleep(0.01)
        assert notes == []
        hurry.set()
        await until(lambda: len(notes) == 2)
        assert not hurry.is_set()


async def test_a_copy_that_cannot_be_read_or_tended_does_not_keep_the_others_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copies, "POLL_SECONDS", 0.001)
    notes: list[str] = []
    broken = Noting("broken", [])
    broken.fails = OSError("the table is locked")

    async def fail() -> None:
        raise OSError("the table is locked")

    monkeypatch.setattr(broken, "tend", fail)
    with capture() as said:
        async with polling(broken, Noting("sound", notes)):
            await until(lambda: len(notes) >= 4)
    assert notes[:4] == ["sound read", "sound tended"] * 2
    assert {(line["level"], line["message"]) for line in said} == {
        ("warning", "prices could not be tended; the next try follows")
    }


async def test_the_log_tells_once_that_a_copy_is_stale_and_once_that_it_is_no_more() -> None:
    copy = Noting("first", [])
    with capture() as said, clock.travel() as journey:
        copy.fails = OSError("gone")
        for seconds in (0, STALE_SECONDS - 1, 2, 10):
            journey.move(seconds=seconds)
            await copy.look()
        copy.fails = None
        await copy.look()
        await copy.look()
        journey.move(seconds=STALE_SECONDS - 1)
        copy.fails = OSError("gone again")
        await copy.look()
    assert [(line["level"], line["message"]) for line in said] == [
        ("error", "prices cannot be read; those of yesterday count"),
        ("info", "prices can be read again"),
    ]
    assert said[0]["stale_seconds"] == STALE_SECONDS + 1
    assert [round(seconds) for seconds in copy.silent] == [0, 29, 31, 41, 29]


async def test_a_database_that_never_answers_is_given_up_for_this_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copies, "TIMEOUT_SECONDS", 0.01)
    copy = Noting("first", [])

    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(copy, "read", hang)
    await copy.look()
    with pytest.raises(TimeoutError):
        await copy.load()
    monkeypatch.undo()
    await copy.load()
    assert copy.notes == ["first read"]


async def test_two_who_read_at_once_do_it_in_turn() -> None:
    copy, inside = Noting("first", []), []

    async def read() -> None:
        inside.append("in")
        await asyncio.sleep(0)
        inside.append("out")

    copy.read = read  # type: ignore[method-assign]
    await asyncio.gather(copy.load(), copy.load())
    assert inside == ["in", "out"] * 2


async def test_what_is_followed_no_more_is_not_read() -> None:
    notes: list[str] = []
    polled = Copies(asyncio.Event())
    async with polled.follow(Noting("first", notes)):
        await polled.look()
    await polled.look()
    assert notes == ["first read"]


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process polls by itself."""
    monkeypatch.setattr(Copies, "run", lambda self: asyncio.sleep(3600))


@pytest.mark.databases("sqlite")
@pytest.mark.usefixtures("still")
async def test_an_idle_process_asks_once_for_each_of_its_copies(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    runner: Any = app.resources.database.read.runner
    fetch = runner.fetch

    async def note(query: Any) -> Any:
        statements.append(query.sql)
        return await fetch(query)

    monkeypatch.setattr(runner, "fetch", note)
    engine = app.resources.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    with app.resources.context("test"):
        await app.resources.copies.look()
    tables = ("account_access_change", "access_version", "apikey_key", "organization_change")
    assert len(statements) == len(tables)
    assert all(sum(table in statement for statement in statements) == 1 for table in tables)

"""Reads of SQLite: quick ones run on the event loop, and nothing that is not quick holds it up."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from xumi.kernel.db.runner import Query
from xumi.kernel.db.sqlite import QUICK_TIMES, SqliteRunner

pytestmark = pytest.mark.anyio

COUNT_TO = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT count(*), where_am_i() FROM n"


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[SqliteRunner]:
    """Reads of an empty database in which SQL can ask for the thread that runs it."""
    path = tmp_path / "own.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (n INTEGER)")
        connection.execute("INSERT INTO t VALUES (7)")
    connection.close()

    def set_up(connection: sqlite3.Connection) -> None:
        connection.create_function("where_am_i", 0, lambda: threading.current_thread().name)

    runner = SqliteRunner(str(path), 2, set_up)
    yield runner
    await runner.close()


async def count(runner: SqliteRunner, number: int) -> tuple[int, bool]:
    """Count, and whether that happened on the loop's thread."""
    ((counted, thread),) = await runner.fetch(Query(COUNT_TO, (number,)))
    return counted, thread == threading.current_thread().name


async def test_what_is_known_to_be_quick_runs_on_the_loop(runner: SqliteRunner) -> None:
    runs = [await count(runner, 3) for _ in range(QUICK_TIMES + 2)]
    assert runs == [(3, False)] * QUICK_TIMES + [(3, True)] * 2


async def test_what_is_slow_stays_on_threads(runner: SqliteRunner) -> None:
    runs = [await count(runner, 100_000) for _ in range(QUICK_TIMES + 2)]
    assert runs == [(100_000, False)] * (QUICK_TIMES + 2)


async def test_quick_sql_that_takes_long_once_is_taken_off_the_loop(runner: SqliteRunner) -> None:
    for _ in range(QUICK_TIMES):
        await count(runner, 3)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.002)
            ticks += 1

    ticking = asyncio.create_task(tick())
    assert await count(runner, 3_000_000) == (3_000_000, False)
    ticking.cancel()
    assert ticks > 5, "the loop stood still"
    assert await count(runner, 3) == (3, False), "it has to prove itself again"


async def test_a_locked_file_does_not_stop_the_loop(runner: SqliteRunner) -> None:
    query = Query("SELECT n FROM t", ())
    for _ in range(QUICK_TIMES + 1):
        assert list(await runner.fetch(query)) == [(7,)]
    locker = sqlite3.connect(runner._path, isolation_level=None)
    locker.execute("PRAGMA locking_mode=EXCLUSIVE")
    try:
        # Nobody can leave the write-ahead log while a reader has it open.
        await runner.close()
        locker.execute("BEGIN EXCLUSIVE")
        locker.execute("INSERT INTO t VALUES (8)")
        reading = asyncio.create_task(runner.fetch(query))
        await asyncio.sleep(0.05)
        assert not reading.done()
        locker.execute("COMMIT")
    finally:
        locker.close()
    assert list(await reading) == [(7,), (8,)]


async def test_a_wrong_query_says_what_is_wrong_wherever_it_runs(runner: SqliteRunner) -> None:
    query = Query("SELECT json(?)", ("[1]",))
    for _ in range(QUICK_TIMES + 1):
        await runner.fetch(query)
    with pytest.raises(sqlite3.OperationalError, match="malformed JSON"):
        await runner.fetch(Query(query.sql, ("no json",)))
    assert list(await runner.fetch(query)) == [("[1]",)]

"""SQLite: how connections are set up, when a transaction takes the write lock, and a reader on threads of its own.

A session reads without a lock until its first write, `FOR UPDATE` or savepoint; then it takes the write lock at once
(`BEGIN IMMEDIATE`), so that it never has to upgrade a read and fail. That is what PostgreSQL's READ COMMITTED gives, and code
that is right there is right here.
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from time import perf_counter, thread_time
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, ExecutionContext
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState
from sqlalchemy.sql.selectable import GenerativeSelect

from xumi.kernel.db.runner import NotWritten, Query, Rows

T = TypeVar("T")

BUSY_TIMEOUT_SECONDS = 5.0
# Transactions are ours to begin: the driver's own begin would come too late and without the lock.
CONNECT_ARGUMENTS: dict[str, Any] = {"isolation_level": None, "timeout": BUSY_TIMEOUT_SECONDS}

# A query that took less of a thread's time than this, several times in a row, is quick: a hand-over to a thread costs more.
QUICK_SECONDS = 0.0003
QUICK_TIMES = 3
# The longest that a quick query may hold the event loop up before it is stopped and run on a thread.
LOOP_BUDGET_SECONDS = 0.002
_STEPS_BETWEEN_LOOKS = 1000
_MAX_KNOWN_QUERIES = 1024

_READING_WORDS = ("SELECT", "PRAGMA", "EXPLAIN", "VALUES")
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA journal_size_limit=67108864",
)


def install(engine: Engine) -> None:
    """Set up each connection of an engine, and begin transactions with the write lock when they start to write."""
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "before_cursor_execute", _begin_before_write)
    event.listen(engine, "commit", _refuse_lost_transaction)
    event.listen(engine, "rollback", _forget_transaction)
    event.listen(engine, "reset", _end_transaction)


def _set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def virtual_tables(connection: Connection) -> set[str]:
    """The virtual tables of a database, such as those of FTS5, and the shadow tables that they keep their data in."""
    if connection.dialect.name != "sqlite":
        return set()
    listed = connection.exec_driver_sql("PRAGMA table_list").mappings()
    return {row["name"] for row in listed if row["type"] in ("virtual", "shadow")}


def _reads(statement: str, context: ExecutionContext | None) -> bool:
    invoked = context.invoked_statement if context is not None and context.compiled is not None else None
    if isinstance(invoked, GenerativeSelect):
        return invoked._for_update_arg is None
    return statement.lstrip("( \n\t").upper().startswith(_READING_WORDS)


def _begin_before_write(
    connection: Connection,
    cursor: DBAPICursor,
    statement: str,
    _parameters: Any,
    context: ExecutionContext | None,
    _many: bool,
) -> None:
    if "writing" in connection.info or _reads(statement, context):
        return
    cursor.execute("BEGIN IMMEDIATE")
    connection.info["writing"] = True


def _refuse_lost_transaction(connection: Connection) -> None:
    """A full disk and the like make SQLite roll back by itself; a COMMIT after that would succeed and keep nothing."""
    driver = connection.connection.driver_connection
    if connection.info.pop("writing", False) and driver is not None and not driver.in_transaction:
        error = sqlite3.OperationalError("SQLite rolled the transaction back after an earlier error")
        raise OperationalError("COMMIT", None, error)


def _forget_transaction(connection: Connection) -> None:
    if not connection.invalidated:
        connection.info.pop("writing", None)


def _end_transaction(connection: Any, entry: ConnectionPoolEntry, state: PoolResetState) -> None:
    """SQLAlchemy takes a failed commit for the end of the transaction; on SQLite it is not, and the lock would be kept."""
    entry.info.pop("writing", None)
    # An asynchronous driver hides the connection behind a wrapper.
    driver = getattr(connection, "_connection", connection)
    if state.asyncio_safe and driver.in_transaction:
        connection.rollback()


class _Job:
    """One task for a thread and the future that its caller waits for."""

    __slots__ = ("future", "loop", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Hand the outcome to the loop, from the thread."""
        try:
            self.loop.call_soon_threadsafe(self._settle, result, error)
        except RuntimeError:
            # The loop was closed; nobody waits any more.
            return

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class _ConnectionThread(threading.Thread):
    """A thread with a connection of its own, which it opens at its first job."""

    def __init__(
        self, open_connection: Callable[[], sqlite3.Connection], jobs: "SimpleQueue[_Job | None]"
    ) -> None:
        super().__init__(name="xumi-sqlite", daemon=True)
        self._open = open_connection
        self._jobs = jobs
        self._connection: sqlite3.Connection | None = None
        self._current: _Job | None = None
        self._guard = threading.Lock()

    def run(self) -> None:
        """Work until told to stop by None."""
        while (job := self._jobs.get()) is not None:
            if job.future.cancelled():
                continue
            with self._guard:
                self._current = job
            result, error = self._attempt(job)
            with self._guard:
                self._current = None
            job.finish(result, error)
            del job, result, error
        self._drop_connection()

    def _attempt(self, job: _Job) -> tuple[Any, BaseException | None]:
        try:
            if self._connection is None:
                connection = self._open()
                with self._guard:
                    self._connection = connection
            return job.work(self._connection), None
        except sqlite3.ProgrammingError as error:
            return None, error
        except sqlite3.DatabaseError as error:
            # The file may have been moved or broken: the next job starts with a fresh connection.
            self._drop_connection()
            return None, error
        except BaseException as error:
            return None, error

    def _drop_connection(self) -> None:
        with self._guard:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def interrupt(self, job: _Job) -> None:
        """Stop the running query if it belongs to this job."""
        with self._guard:
            if self._current is job and self._connection is not None:
                self._connection.interrupt()


class _LoopConnection:
    """A connection for quick queries on the event loop's own thread; it waits for no lock, and stops what takes too long."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._end = 0.0
        connection.set_progress_handler(lambda: perf_counter() > self._end, _STEPS_BETWEEN_LOOKS)

    def attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it within the budget.

        Raises:
            sqlite3.Error: it took too long, the file was locked, or the query itself is wrong.
        """
        self._end = perf_counter() + LOOP_BUDGET_SECONDS
        return work(self._connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class SqliteRunner:
    """Runs reads on a few threads, so that the event loop never waits for the disk; queries that are known to be quick run
    on the loop, within a budget.

    Args:
        path: the database file.
        size: number of threads, each with its own connection.
        set_up: what SQLAlchemy does to a new connection (functions such as REGEXP).
    """

    def __init__(
        self, path: str, size: int, set_up: Callable[[sqlite3.Connection], None] | None = None
    ) -> None:
        self._path = path
        self._size = size
        self._set_up = set_up
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[_ConnectionThread] = []
        self._writes: SimpleQueue[_Job | None] = SimpleQueue()
        self._writer: _ConnectionThread | None = None
        self._loop_connection: _LoopConnection | None = None
        self._quick_runs: dict[str, int] = {}

    def _open(self, timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            isolation_level=None,
            check_same_thread=False,
            timeout=timeout_seconds,
            cached_statements=256,
        )
        if self._set_up is not None:
            self._set_up(connection)
        return connection

    def _open_reader(self, timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> sqlite3.Connection:
        connection = self._open(timeout_seconds)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _open_writer(self) -> sqlite3.Connection:
        connection = self._open()
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        return connection

    async def _run(self, sql: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it on the loop if this SQL is known to be quick, else on a thread, which tells how quick it is."""
        if self._quick_runs.get(sql, 0) >= QUICK_TIMES:
            try:
                if self._loop_connection is None:
                    self._loop_connection = _LoopConnection(self._open_reader(timeout_seconds=0))
                return self._loop_connection.attempt(work)
            except sqlite3.Error:
                # Too slow, locked, or broken: a thread can wait, and says what is wrong.
                self._drop_loop_connection()
                self._quick_runs.pop(sql, None)
        seconds, result = await self._run_on_thread(lambda connection: _timed(work, connection))
        if seconds > QUICK_SECONDS:
            self._quick_runs.pop(sql, None)
        elif len(self._quick_runs) < _MAX_KNOWN_QUERIES or sql in self._quick_runs:
            self._quick_runs[sql] = self._quick_runs.get(sql, 0) + 1
        return result

    async def _run_on_thread(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if not self._threads:
            self._threads = [_ConnectionThread(self._open_reader, self._jobs) for _ in range(self._size)]
            for thread in self._threads:
                thread.start()
        job = _Job(work)
        self._jobs.put(job)
        try:
            result: T = await job.future
        except asyncio.CancelledError:
            for thread in self._threads:
                thread.interrupt(job)
            raise
        return result

    async def fetch(self, query: Query) -> Rows:
        """All rows of a query."""
        return await self._run(
            query.sql, lambda connection: connection.execute(query.sql, query.arguments).fetchall()
        )

    async def fetch_two(
        self, first: Query, second: Query, needs_second: Callable[[Rows], bool]
    ) -> tuple[Rows, Rows]:
        """Both in one visit to a thread."""

        def work(connection: sqlite3.Connection) -> tuple[Rows, Rows]:
            rows = connection.execute(first.sql, first.arguments).fetchall()
            return rows, connection.execute(second.sql, second.arguments).fetchall() if needs_second(
                rows
            ) else ()

        return await self._run(first.sql + second.sql, work)

    async def write(self, queries: Sequence[Query]) -> None:
        """All in one transaction, on the one thread that such writes share: they take turns without asking for the lock."""
        if self._writer is None:
            self._writer = _ConnectionThread(self._open_writer, self._writes)
            self._writer.start()
        job = _Job(lambda connection: _write(connection, queries))
        self._writes.put(job)
        try:
            await job.future
        except sqlite3.Error as error:
            raise NotWritten from error

    async def stream(self, query: Query, size: int) -> AsyncIterator[Rows]:
        """Batches from an open cursor on a connection of its own; the cursor holds the snapshot."""
        loop = asyncio.get_running_loop()
        # One thread, so that the closing comes after whatever runs there when the caller gives up.
        thread = ThreadPoolExecutor(1, "xumi-sqlite-stream")
        connection: sqlite3.Connection | None = None
        try:
            connection = await loop.run_in_executor(thread, self._open_reader)
            cursor = await loop.run_in_executor(thread, connection.execute, query.sql, query.arguments)
            while rows := await loop.run_in_executor(thread, cursor.fetchmany, size):
                yield rows
        finally:
            if connection is not None:
                connection.interrupt()
                thread.submit(connection.close)
            thread.shutdown(wait=False)

    async def close(self) -> None:
        """Stop the threads after their present jobs."""
        self._drop_loop_connection()
        threads, self._threads = self._threads, []
        for _ in threads:
            self._jobs.put(None)
        if self._writer is not None:
            self._writes.put(None)
            threads.append(self._writer)
            self._writer = None
        for thread in threads:
            await asyncio.to_thread(thread.join)

    def _drop_loop_connection(self) -> None:
        if self._loop_connection is not None:
            self._loop_connection.close()
            self._loop_connection = None


def _write(connection: sqlite3.Connection, queries: Sequence[Query]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for query in queries:
            connection.execute(query.sql, query.arguments)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _timed(work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> tuple[float, T]:
    """What it gives, and the processor's time that it took: waiting for the interpreter's lock says nothing about a query."""
    start = thread_time()
    result = work(connection)
    return thread_time() - start, result

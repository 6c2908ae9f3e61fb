"""MySQL and MariaDB: how connections are made, and pooled for reads.

Reads run on asyncmy itself, each in autocommit. They use the text protocol, as sessions do, so that both get the same values.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import asyncmy
from asyncmy.cursors import SSCursor
from asyncmy.errors import MySQLError
from sqlalchemy import URL

from xumi.kernel.db.errors import DatabaseUnavailable
from xumi.kernel.db.pool import ConnectionPool
from xumi.kernel.db.runner import Query, Rows

T = TypeVar("T")

# Times are UTC; a value that does not fit its column is refused and not cut; nor is what `group_concat` puts together.
SET_UP = (
    "SET time_zone = '+00:00', sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES'), "
    "group_concat_max_len = 1000000000"
)
# How long the server waits for a client that reads a file slowly.
STREAM_SET_UP = "SET net_write_timeout = 600, net_read_timeout = 600"

# Numbers with which the server or the driver says that the connection is gone.
_STALE = frozenset({0, 1053, 1927, 2006, 2013, 2014, 2045, 2055, 4031})


# Queries that are being stopped; kept here so that they are not collected.
_stopping: set[asyncio.Task[None]] = set()

# The driver reports as warnings what MySQL has to say about statements that are right ("name ignored for PRIMARY key").
logging.getLogger("asyncmy").setLevel(logging.ERROR)


class _Stale(Exception):
    """The read failed because of its connection, not of itself; `cause` says how."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(cause)
        self.cause = cause


class Connector:
    """Opens driver connections to one server.

    Args:
        url: where it is, as `parse_url` gives it.
        timeout_seconds: for the whole of the connecting.
        autocommit: whether each statement is a transaction of its own.

    Raises:
        DatabaseUnavailable: the server cannot be reached, or takes no connections now.
    """

    def __init__(self, url: URL, timeout_seconds: float, *, autocommit: bool = False) -> None:
        self._options = url.get_dialect()().create_connect_args(url)[1]
        self._timeout_seconds = timeout_seconds
        self._autocommit = autocommit

    async def __call__(self) -> Any:
        """A new connection."""
        task = asyncio.current_task()
        assert task is not None
        cancelling = task.cancelling()
        try:
            # The driver's own limit ends where the server accepts; one that then says nothing would be waited for.
            async with asyncio.timeout(self._timeout_seconds):
                connection = await asyncmy.connect(
                    **self._options, autocommit=self._autocommit, init_command=SET_UP
                )
        except (OSError, TimeoutError, MySQLError) as error:
            reason = str(error) or type(error).__name__
            raise DatabaseUnavailable(f"cannot connect to MySQL: {reason}") from error
        if task.cancelling() > cancelling:
            # The driver uses `asyncio.wait_for`, which up to Python 3.11 loses a cancellation that comes in the moment in which
            # what it waits for ends (https://github.com/python/cpython/issues/86296).
            connection.close()
            raise asyncio.CancelledError
        return connection


class MysqlRunner:
    """Runs reads on a pool of asyncmy connections.

    Args:
        connect: opens a driver connection in autocommit.
        size: the most connections at one time.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]], size: int) -> None:
        self._connect = connect
        self._pool = ConnectionPool(
            connect, size, lambda connection: connection.connected, lambda c: c.close()
        )

    async def _run(self, work: Callable[[Any], Awaitable[T]], fresh: bool = False) -> T:
        connection = await self._pool.acquire(fresh=fresh)
        # Only after an answer or a refusal is it certain that nothing of a result is still under way.
        usable = False
        try:
            result = await work(connection)
            usable = True
            return result
        except MySQLError as error:
            if _lost(error):
                raise _Stale(error) from error
            usable = True
            raise
        except OSError as error:
            raise _Stale(error) from error
        except asyncio.CancelledError:
            # The server would go on with a query whose connection is closed.
            task = asyncio.create_task(self._stop(connection.thread_id()))
            _stopping.add(task)
            task.add_done_callback(_stopping.discard)
            raise
        finally:
            self._pool.release(connection, usable=usable)

    async def _run_twice(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """A connection that has gone stale is replaced once; reads may be repeated."""
        try:
            return await self._run(work)
        except _Stale:
            try:
                return await self._run(work, fresh=True)
            except _Stale as again:
                raise DatabaseUnavailable(f"lost the connection to MySQL: {again.cause}") from again.cause

    async def _stop(self, thread: int) -> None:
        """End a connection's query; it may have ended by itself."""
        with suppress(DatabaseUnavailable, MySQLError):
            connection = await self._connect()
            try:
                await _fetch(connection, Query(f"KILL {thread}", ()))
            finally:
                connection.close()

    async def fetch(self, query: Query) -> Rows:
        """All rows of a query."""
        return await self._run_twice(lambda connection: _fetch(connection, query))

    async def fetch_two(
        self, first: Query, second: Query, needs_second: Callable[[Rows], bool]
    ) -> tuple[Rows, Rows]:
        """One after the other on one connection."""

        async def work(connection: Any) -> tuple[Rows, Rows]:
            rows = await _fetch(connection, first)
            return rows, (await _fetch(connection, second) if needs_second(rows) else ())

        return await self._run_twice(work)

    async def stream(self, query: Query, size: int) -> AsyncIterator[Rows]:
        """Batches as the server sends them, of the one snapshot that a statement has, on a connection outside the pool."""
        connection = await self._connect()
        try:
            await _fetch(connection, Query(STREAM_SET_UP, ()))
            cursor = connection.cursor(SSCursor)
            await cursor.execute(query.sql, query.arguments)
            while rows := await cursor.fetchmany(size):
                yield rows
        finally:
            connection.close()

    async def close(self) -> None:
        """Close idle connections now and the others as they come back."""
        for connection in self._pool.close():
            await connection.ensure_closed()


async def _fetch(connection: Any, query: Query) -> Rows:
    cursor = connection.cursor()
    await cursor.execute(query.sql, query.arguments)
    rows: Rows = await cursor.fetchall()
    return rows


def _lost(error: MySQLError) -> bool:
    return bool(error.args) and error.args[0] in _STALE

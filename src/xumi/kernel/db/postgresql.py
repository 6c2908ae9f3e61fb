"""PostgreSQL: how connections are made, watched and pooled for reads.

Reads run on asyncpg itself, each in autocommit, on connections that nobody changes the state of, so that none is reset.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from itertools import groupby
from typing import Any, Literal, TypeVar

import asyncpg
import msgspec
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, PoolResetState

from xumi.kernel.db.errors import DatabaseUnavailable
from xumi.kernel.db.pool import ConnectionPool
from xumi.kernel.db.runner import NotWritten, Query, Rows

T = TypeVar("T")

PREPARED_STATEMENTS = 256
_CANCEL_SECONDS = 2.0
# More inserts than this are not sent as one: each combination is a statement to prepare.
MOST_TOGETHER = 8
_PLACE = re.compile(r"\$(\d+)")

# What a connection says when the server went away under it, or when a migration changed what its statements return.
_STALE = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.OutdatedSchemaCacheError,
    asyncpg.InvalidCachedStatementError,
    OSError,
)


class Connector:
    """Opens driver connections to one server.

    Raises:
        DatabaseUnavailable: the server cannot be reached, or takes no connections now.
    """

    def __init__(self, url: URL, timeout_seconds: float) -> None:
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._timeout_seconds = timeout_seconds
        # Nobody listens between here and this machine itself: TLS only where its server asks for it, or the URL does.
        asks = "sslmode" in url.query or "ssl" in url.query or "PGSSLMODE" in os.environ
        self._ssl: Literal["allow"] | None = "allow" if is_this_machine(url.host) and not asks else None

    async def __call__(self) -> Any:
        # asyncpg leaves a loud future behind when it is cancelled half way, so an attempt is always finished.
        attempt = asyncio.create_task(self._connect())
        try:
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            attempt.add_done_callback(_terminate)
            raise

    async def _connect(self) -> Any:
        try:
            return await asyncpg.connect(
                self._dsn,
                timeout=self._timeout_seconds,
                statement_cache_size=PREPARED_STATEMENTS,
                max_cached_statement_lifetime=0,
                server_settings={"application_name": "xumi", "timezone": "UTC"},
                ssl=self._ssl,
            )
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresConnectionError,
            asyncpg.CannotConnectNowError,
        ) as error:
            reason = str(error) or type(error).__name__
            raise DatabaseUnavailable(f"cannot connect to PostgreSQL: {reason}") from error
        except asyncpg.TooManyConnectionsError as error:
            raise DatabaseUnavailable(
                "PostgreSQL takes no more connections: lower DATABASE_POOL_SIZE"
            ) from error


def is_this_machine(host: str | None) -> bool:
    """Whether the host of a URL is the loopback, and no name that could lead elsewhere tomorrow."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _terminate(attempt: asyncio.Task[Any]) -> None:
    """Drop a connection that nobody waits for any more."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().terminate()


async def decode_json(connection: Any) -> None:
    """Give a connection of ours the conversions that SQLAlchemy's dialect expects of one: JSON comes as objects."""
    await connection.set_type_codec(
        "json", schema="pg_catalog", format="binary", encoder=str.encode, decoder=msgspec.json.decode
    )
    # The first byte of binary JSONB is its version.
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda text: b"\x01" + text.encode(),
        decoder=lambda data: msgspec.json.decode(data[1:]),
    )


def install(engine: Engine) -> None:
    """Replace connections that the server closed, and refuse to commit a transaction that it has given up."""
    event.listen(engine, "checkout", _refuse_closed)
    event.listen(engine, "handle_error", _remember_error)
    event.listen(engine, "commit", _refuse_aborted_transaction)
    event.listen(engine, "rollback", _forget_error)
    event.listen(engine, "reset", _end_transaction)


def _refuse_closed(
    connection: DBAPIConnection, _entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    # The loop has seen the server's end of the connection close; costs no round trip as a ping would.
    if connection._connection.is_closed():
        raise DisconnectionError("the server closed the connection")


def _remember_error(context: ExceptionContext) -> None:
    if context.connection is not None and not context.is_disconnect and not context.connection.invalidated:
        context.connection.info["failed"] = True


def _forget_error(connection: Connection) -> None:
    if not connection.invalidated:
        connection.info.pop("failed", None)


def _refuse_aborted_transaction(connection: Connection) -> None:
    """After an error that somebody swallowed, PostgreSQL answers COMMIT with a rollback and no error.

    A query finds out: it fails unless the error was rolled back to a savepoint.
    """
    if connection.info.pop("failed", False):
        connection.exec_driver_sql("SELECT 1")


def _end_transaction(connection: Any, entry: ConnectionPoolEntry, state: PoolResetState) -> None:
    """SQLAlchemy takes a failed commit for the end of the transaction; where COMMIT was not sent, it is not."""
    entry.info.pop("failed", None)
    if state.asyncio_safe and connection._transaction is not None:
        connection.rollback()


def batches(queries: Iterable[Query]) -> Iterator[list[Query]]:
    """Queries that follow each other, as `send` can take them: all of one text, or each of another one."""
    waiting: list[Query] = []
    for sql, group in groupby(queries, lambda query: query.sql):
        same = list(group)
        if waiting and (
            len(same) > 1 or len(waiting) == MOST_TOGETHER or sql in [each.sql for each in waiting]
        ):
            yield waiting
            waiting = []
        if len(same) > 1:
            yield same
        else:
            waiting += same
    if waiting:
        yield waiting


def is_repeated(batch: Sequence[Query]) -> bool:
    """Whether a batch of `batches` is of one text."""
    return len(batch) > 1 and batch[0].sql == batch[1].sql


async def send(connection: Any, batch: Sequence[Query]) -> None:
    """Run INSERTs that return nothing: those of one text in their order, others in one statement."""
    if is_repeated(batch):
        await connection.executemany(batch[0].sql, [query.arguments for query in batch])
    else:
        joined = _together(batch)
        await connection.execute(joined.sql, *joined.arguments)


def _together(queries: Sequence[Query]) -> Query:
    """One statement that makes these changes, in whatever order: foreign keys are checked at its end."""
    if len(queries) == 1:
        return queries[0]
    sql = _join(tuple([(query.sql, len(query.arguments)) for query in queries]))
    return Query(sql, tuple([argument for query in queries for argument in query.arguments]))


def join_before(queries: Sequence[Query], last: Query) -> Query:
    """One statement that makes the changes of INSERTs that return nothing, of different texts, and gives what `last` gives."""
    texts = tuple([(query.sql, len(query.arguments)) for query in queries])
    arguments = [argument for query in queries for argument in query.arguments]
    return Query(_join_before(texts, last.sql, len(last.arguments)), (*last.arguments, *arguments))


@lru_cache(maxsize=PREPARED_STATEMENTS)
def _join(texts: tuple[tuple[str, int], ...]) -> str:
    """`texts` are statements with the numbers of their arguments."""
    return f"WITH {_parts(texts, 0)} SELECT 1"


@lru_cache(maxsize=PREPARED_STATEMENTS)
def _join_before(texts: tuple[tuple[str, int], ...], last: str, arguments: int) -> str:
    """The same, behind the arguments of another statement."""
    rest = f", {last.removeprefix('WITH ')}" if last.startswith("WITH ") else f" {last}"
    return f"WITH {_parts(texts, arguments)}{rest}"


def _parts(texts: tuple[tuple[str, int], ...], first: int) -> str:
    parts = []
    for number, (sql, count) in enumerate(texts):
        shifted = _PLACE.sub(lambda place, by=first: f"${int(place[1]) + by}", sql)  # type: ignore[misc]
        parts.append(f"w{number} AS ({shifted})")
        first += count
    return ", ".join(parts)


class PostgresRunner:
    """Runs reads on a pool of asyncpg connections.

    Args:
        connect: opens a driver connection.
        size: the most connections at one time.
        set_up: what SQLAlchemy does to a new connection (JSON codecs).
    """

    def __init__(
        self, connect: Callable[[], Any], size: int, set_up: Callable[[Any], Any] | None = None
    ) -> None:
        self._connect = connect
        self._set_up = set_up
        self._pool = ConnectionPool(
            self._open, size, lambda connection: not connection.is_closed(), lambda c: c.terminate()
        )

    async def _open(self) -> Any:
        connection = await self._connect()
        if self._set_up is not None:
            try:
                await self._set_up(connection)
            except BaseException:
                connection.terminate()
                raise
        return connection

    async def _run(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """A connection that has gone stale is replaced once; reads may be repeated."""
        connection = await self._pool.acquire()
        try:
            return await work(connection)
        except _STALE:
            pass
        except asyncpg.InterfaceError:
            if not connection.is_closed():
                raise
        finally:
            self._pool.release(connection)
        connection = await self._pool.acquire(fresh=True)
        try:
            return await work(connection)
        except OSError as error:
            raise DatabaseUnavailable(f"lost the connection to PostgreSQL: {error}") from error
        finally:
            self._pool.release(connection)

    async def fetch(self, query: Query) -> Rows:
        """All rows of a query."""
        return await self._run(lambda connection: connection.fetch(query.sql, *query.arguments))

    async def fetch_two(
        self, first: Query, second: Query, needs_second: Callable[[Rows], bool]
    ) -> tuple[Rows, Rows]:
        """One after the other on one connection."""

        async def work(connection: Any) -> tuple[Rows, Rows]:
            rows = await connection.fetch(first.sql, *first.arguments)
            return rows, (await connection.fetch(second.sql, *second.arguments) if needs_second(rows) else ())

        return await self._run(work)

    async def write(self, queries: Sequence[Query]) -> None:
        """All in one transaction. One statement is a transaction by itself, which saves two round trips.

        A few inserts into different tables are one statement.
        """
        connection = await self._pool.acquire()
        usable = False
        try:
            first, *others = batches(queries)
            if not others and not is_repeated(first):
                await self._send_last(connection, _together(first))
            else:
                await connection.execute("BEGIN")
                for batch in (first, *others):
                    await send(connection, batch)
                await self._send_last(connection, Query("COMMIT", ()))
            usable = True
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            # A connection in the middle of a transaction is dropped, which ends the transaction.
            usable = not connection.is_closed() and not connection.is_in_transaction()
            raise NotWritten from error
        except asyncio.CancelledError:
            await self._wait_for_end(connection)
            raise
        finally:
            self._pool.release(connection, usable=usable)

    async def _wait_for_end(self, connection: Any) -> None:
        """The driver has asked the server to cancel the statement; a dropped connection's statement would go on."""
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            await connection.fetchval("SELECT 1", timeout=_CANCEL_SECONDS)

    async def _send_last(self, connection: Any, query: Query) -> None:
        """What makes the transaction durable: when the connection breaks here, nobody knows whether it did."""
        try:
            await connection.execute(query.sql, *query.arguments)
        except (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, OSError) as error:
            raise DatabaseUnavailable(
                f"lost the connection to PostgreSQL during a commit: {error}"
            ) from error
        except asyncpg.InterfaceError as error:
            if connection.is_closed():
                raise DatabaseUnavailable(
                    f"lost the connection to PostgreSQL during a commit: {error}"
                ) from error
            raise

    async def stream(self, query: Query, size: int) -> AsyncIterator[Rows]:
        """Batches from a server-side cursor in a read-only transaction, on a connection outside the pool."""
        connection = await self._open()
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                cursor = await connection.cursor(query.sql, *query.arguments)
                while rows := await cursor.fetch(size):
                    yield rows
        finally:
            connection.terminate()

    async def close(self) -> None:
        """Close idle connections now and the others as they come back."""
        for connection in self._pool.close():
            await connection.close(timeout=2)

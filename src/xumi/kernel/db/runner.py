"""How a compiled statement is run: what every driver offers to the reader, and reads inside an open transaction.

The direct drivers are in `postgresql`, `mysql` and `sqlite`; inside a transaction the connection is SQLAlchemy's.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection

Row = Sequence[Any]
Rows = Sequence[Row]


class Query(NamedTuple):
    """SQL as the driver wants it, and its positional arguments."""

    sql: str
    arguments: tuple[Any, ...]


class Runner(Protocol):
    """Runs queries. Rows hold the driver's own values; SQLAlchemy's result processors have not run."""

    async def fetch(self, query: Query) -> Rows:
        """All rows of a query."""
        ...

    async def fetch_two(
        self, first: Query, second: Query, needs_second: Callable[[Rows], bool]
    ) -> tuple[Rows, Rows]:
        """The rows of two queries on one connection; `second` is left out when the first one's rows say so."""
        ...

    def stream(self, query: Query, size: int) -> AsyncIterator[Rows]:
        """The rows of a query in batches of `size`, all from one snapshot, on a connection of their own."""
        ...

    async def close(self) -> None:
        """Close all connections. Safe to call twice."""
        ...


class NotWritten(Exception):
    """The database refused a transaction, and nothing of it was kept."""


class Writer(Protocol):
    """Writes on the driver itself."""

    async def write(self, queries: Sequence[Query]) -> None:
        """Run INSERTs that return nothing, all in one transaction.

        Raises:
            NotWritten: nothing was kept.
            DatabaseUnavailable: there is no connection, or it was lost after the commit had been sent.
        """
        ...


class LastInserts(Protocol):
    """A connection of SQLAlchemy's driver that can insert while it commits, which saves what a statement costs beside the database.

    Attributes:
        last: what the next commit inserts; who sets it takes it back when that commit has succeeded or failed.
    """

    last: Sequence[Query]


class ConnectionRunner:
    """Runs queries on one SQLAlchemy connection, inside whatever transaction it has."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def fetch(self, query: Query) -> Rows:
        """All rows of a query."""
        return (await self._connection.exec_driver_sql(query.sql, query.arguments)).all()

    async def fetch_two(
        self, first: Query, second: Query, needs_second: Callable[[Rows], bool]
    ) -> tuple[Rows, Rows]:
        """One after the other."""
        rows = await self.fetch(first)
        return rows, (await self.fetch(second) if needs_second(rows) else ())

    async def stream(self, query: Query, size: int) -> AsyncIterator[Rows]:
        """Batches from a server-side cursor."""

        def open_cursor(connection: Connection) -> CursorResult[Any]:
            return connection.execution_options(stream_results=True, max_row_buffer=size).exec_driver_sql(
                query.sql, query.arguments
            )

        result = await self._connection.run_sync(open_cursor)
        try:
            while rows := await self._connection.run_sync(lambda _: result.fetchmany(size)):
                yield rows
        finally:
            await self._connection.run_sync(lambda _: result.close())

    async def close(self) -> None:
        """The connection belongs to somebody else."""

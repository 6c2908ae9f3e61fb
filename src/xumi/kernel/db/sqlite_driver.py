"""SQLAlchemy's asynchronous SQLite driver with one hand-over to the connection's thread for a statement, instead of four.

As it comes, making a cursor, executing, fetching and closing are handed over one after the other, and each takes the event loop
longer than a small statement takes SQLite. Here the thread does all of it and gives back what there is. What is to be inserted last
goes with the commit.
"""

import sqlite3
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.util.concurrency import await_

from xumi.kernel.db.runner import Query


class _Outcome(NamedTuple):
    """What a statement left behind."""

    description: Any
    rows: list[Any]
    rowcount: int
    lastrowid: int | None


_NOTHING = _Outcome(None, [], -1, None)


def _run(connection: sqlite3.Connection, many: bool, sql: str, parameters: Any) -> _Outcome:
    cursor = connection.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(sql, parameters)
        rows = cursor.fetchall() if cursor.description else []
        return _Outcome(cursor.description, rows, cursor.rowcount, cursor.lastrowid)
    finally:
        cursor.close()


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """A cursor that exists on the connection's thread while it executes, and no longer."""

    __slots__ = ("_outcome",)

    def __init__(self, connection: AsyncAdapt_aiosqlite_connection) -> None:
        self._adapt_connection = connection
        self._connection = connection._connection
        self._rows = deque()
        self._outcome = _NOTHING

    @property
    def description(self) -> Any:
        """Of the last statement's columns."""
        return self._outcome.description

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""
        return self._outcome.rowcount

    @property
    def lastrowid(self) -> Any:
        """The key that SQLite gave last."""
        return self._outcome.lastrowid

    async def _execute_async(self, operation: Any, parameters: Any) -> None:
        await self._run(False, operation, () if parameters is None else parameters)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:
        await self._run(True, operation, seq_of_parameters)

    async def _run(self, many: bool, sql: str, parameters: Any) -> None:
        driver: Any = self._connection
        async with self._adapt_connection._execute_mutex:
            self._outcome = await driver._execute(_run, driver._conn, many, sql, parameters)
        self._rows = deque(self._outcome.rows)

    async def _async_soft_close(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Forget rows that nobody has taken."""
        self._rows.clear()


def _insert_and_commit(connection: sqlite3.Connection, queries: Sequence[Query]) -> None:
    if not connection.in_transaction:
        connection.execute("BEGIN IMMEDIATE")
    for query in queries:
        connection.execute(query.sql, query.arguments)
    connection.commit()


class _Connection(AsyncAdapt_aiosqlite_connection):
    """Attributes: `last`, what `commit` inserts before it commits (`kernel.db.runner.LastInserts`)."""

    __slots__ = ("last",)

    _cursor_cls: Any = _Cursor

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.last: Sequence[Query] = ()

    def commit(self) -> None:
        """Insert what is to be inserted last, and commit."""
        if not self.last:
            super().commit()
            return
        driver: Any = self._connection
        try:
            await_(driver._execute(_insert_and_commit, driver._conn, self.last))
        except Exception as error:
            self._handle_exception(error)


class _Driver(AsyncAdapt_aiosqlite_dbapi):
    def connect(self, *arguments: Any, **options: Any) -> _Connection:
        """A connection on a thread of its own."""
        return _Connection(self, super().connect(*arguments, **options)._connection)


DRIVER = _Driver(aiosqlite, sqlite3)
"""For `create_async_engine(…, module=DRIVER)`."""

"""SQLAlchemy's asynchronous PostgreSQL driver, with statements that go past SQLAlchemy's execution of a statement."""

from collections.abc import Sequence
from typing import Any, cast

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection, AsyncAdapt_asyncpg_dbapi
from sqlalchemy.util.concurrency import await_

from xumi.kernel.db.postgresql import batches, is_repeated, join_before, send
from xumi.kernel.db.runner import Query, Rows


class _Transaction:
    """One that was begun by `_Connection.begin`; asyncpg's own begin theirs by themselves."""

    __slots__ = ("_driver",)

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    async def commit(self) -> None:
        await self._driver.execute("COMMIT")

    async def rollback(self) -> None:
        await self._driver.execute("ROLLBACK")


class _Connection(AsyncAdapt_asyncpg_connection):
    """Also a `kernel.db.direct.DirectConnection`.

    Attributes:
        last: what `commit` inserts before it commits (`kernel.db.runner.LastInserts`).
    """

    __slots__ = ("last",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        self.last: Sequence[Query] = ()

    async def begin(self, sql: str) -> int:
        """Begin a transaction with a SELECT that has no parameters, in one round trip; returns how many rows it gives."""
        async with self._execute_mutex:
            driver: Any = self._connection
            # If the SELECT fails there is a transaction to be rolled back.
            self._transaction = cast(Any, _Transaction(driver))
            try:
                script = f"BEGIN; {sql}"  # lint: sql-from-strings whole statements
                status: str = await driver.execute(script)
            except Exception as error:
                self._handle_exception(error)
            return int(status.removeprefix("SELECT "))

    async def fetch(self, query: Query) -> Rows:
        """All rows of a statement, in this connection's transaction."""
        async with self._execute_mutex:
            if self._transaction is None:
                await self._start_transaction()  # type: ignore[no-untyped-call]
            driver: Any = self._connection
            try:
                rows: Rows = await driver.fetch(query.sql, *query.arguments)
            except Exception as error:
                self._handle_exception(error)
            return rows

    async def insert(self, queries: Sequence[Query]) -> None:
        """Run INSERTs that return nothing."""
        async with self._execute_mutex:
            if self._transaction is None:
                await self._start_transaction()  # type: ignore[no-untyped-call]
            try:
                await self._insert(queries)
            except Exception as error:
                self._handle_exception(error)

    async def insert_with(self, queries: Sequence[Query], last: Query) -> Rows:
        """Run INSERTs that return nothing and another statement, in as few round trips as they need; returns that one's rows."""
        *before, batch = batches(queries)
        if is_repeated(batch):
            before, batch = [*before, batch], []
        for each in before:
            await self.insert(each)
        return await self.fetch(join_before(batch, last) if batch else last)

    def commit(self) -> None:
        """Insert what is to be inserted last, and commit."""
        if self.last:
            await_(self.commit_with(self.last))
        else:
            super().commit()  # type: ignore[no-untyped-call]

    async def commit_with(self, queries: Sequence[Query]) -> None:
        """Run INSERTs that return nothing, and commit."""
        async with self._execute_mutex:
            try:
                if queries:
                    if self._transaction is None:
                        await self._start_transaction()  # type: ignore[no-untyped-call]
                    await self._insert(queries)
                transaction: Any = self._transaction
                if transaction is not None:
                    await self._call_and_discard(transaction.commit)
            except Exception as error:
                self._handle_exception(error)

    async def _insert(self, queries: Sequence[Query]) -> None:
        for batch in batches(queries):
            await send(self._connection, batch)


class _Driver(AsyncAdapt_asyncpg_dbapi):
    """Its connections are `kernel.db.direct.DirectConnection`s."""

    can_run_directly = True

    def connect(self, *arguments: Any, **options: Any) -> _Connection:
        """A connection of asyncpg."""
        return _Connection(self, super().connect(*arguments, **options)._connection)  # type: ignore[no-untyped-call]


DRIVER = _Driver(asyncpg)  # type: ignore[no-untyped-call]
"""For `create_async_engine(…, module=DRIVER)`."""

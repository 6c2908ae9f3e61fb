"""SQLAlchemy's asynchronous PostgreSQL driver with inserts that go with the commit, past SQLAlchemy's execution of a statement."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection, AsyncAdapt_asyncpg_dbapi
from sqlalchemy.util.concurrency import await_

from xumi.kernel.db.runner import Query


class _Connection(AsyncAdapt_asyncpg_connection):
    """Attributes: `last`, what `commit` inserts before it commits (`kernel.db.runner.LastInserts`)."""

    __slots__ = ("last",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        self.last: Sequence[Query] = ()

    def commit(self) -> None:
        """Insert what is to be inserted last, and commit."""
        if not self.last:
            super().commit()  # type: ignore[no-untyped-call]
            return
        try:
            await_(self._insert_and_commit())
        except Exception as error:
            self._handle_exception(error)

    async def _insert_and_commit(self) -> None:
        if self._transaction is None:
            await self._start_transaction()  # type: ignore[no-untyped-call]
        driver: Any = self._connection
        for sql, group in groupby(self.last, lambda query: query.sql):
            first, *others = [query.arguments for query in group]
            if others:
                await driver.executemany(sql, [first, *others])
            else:
                await driver.execute(sql, *first)
        transaction: Any = self._transaction
        await self._call_and_discard(transaction.commit)


class _Driver(AsyncAdapt_asyncpg_dbapi):
    def connect(self, *arguments: Any, **options: Any) -> _Connection:
        """A connection of asyncpg."""
        return _Connection(self, super().connect(*arguments, **options)._connection)  # type: ignore[no-untyped-call]


DRIVER = _Driver(asyncpg)  # type: ignore[no-untyped-call]
"""For `create_async_engine(…, module=DRIVER)`."""

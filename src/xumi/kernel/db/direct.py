"""Statements inside a session's transaction that run on the driver itself, where it can: what SQLAlchemy does for a statement costs
more than a small one costs the database.

    rows = await execute(session, _LOCKED, {"sku_ids": sku_ids})

The session's own statements, its flushes and its commit are SQLAlchemy's as ever; both see what the other has written.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from types import MappingProxyType
from typing import Any, NoReturn, Protocol, cast

from sqlalchemy import Connection, CursorResult, Delete, Dialect, Executable, Insert, Update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util.concurrency import greenlet_spawn

from xumi.kernel.context import current
from xumi.kernel.db.runner import Query, Rows
from xumi.kernel.db.shape import Shape, Values

_NONE: Mapping[str, Any] = MappingProxyType({})
# Set in `session.info` once the session has begun a transaction: on which connection.
_CONNECTION = "xumi_connection"


class DirectConnection(Protocol):
    """A connection of SQLAlchemy's driver that also runs statements by itself."""

    async def fetch(self, query: Query) -> Rows:
        """All rows of a statement, in the connection's transaction; raises the driver's errors as SQLAlchemy knows them."""
        ...

    async def insert(self, queries: Sequence[Query]) -> None:
        """Run INSERTs that return nothing."""
        ...


class _Statement:
    """A compiled statement, and what those who listen to an engine's statements ask of one that does not go through it."""

    def __init__(self, statement: Executable, dialect: Dialect, values: Values) -> None:
        self.shape = Shape(statement, dialect, values)
        self.compiled = self.shape.compiled
        self.invoked_statement = statement
        self.isinsert = isinstance(statement, Insert)
        self.isupdate = isinstance(statement, Update)
        self.isdelete = isinstance(statement, Delete)
        # Defaults and keys are made by SQLAlchemy while it executes.
        self.is_direct = not self.isinsert and not self.shape.compiled.update_prefetch


def note_begin(session: Session, _transaction: Any, connection: Connection) -> None:
    """Listens to `after_begin`."""
    session.info[_CONNECTION] = connection


def has_begun(session: Session) -> bool:
    """Whether the session has ever had a connection."""
    return _CONNECTION in session.info


async def execute(
    session: AsyncSession, statement: Executable, parameters: Mapping[str, Any] = _NONE
) -> Rows:
    """Run a statement in the session's transaction, compiled once for its shape, and return what rows it gives.

    Args:
        session: the running unit of work's.
        statement: a SELECT, or a change, with RETURNING where its rows are wanted. Make it once, in the module.
        parameters: values of the statement's `bindparam("name")`.

    Raises:
        SQLAlchemyError: as `session.execute` would.
    """
    connection = await _begin(session)
    if hasattr(connection.connection.dbapi_connection, "fetch"):
        reader = current().resources.database.read
        plan, values = reader.plan(
            statement, _Statement, lambda found, values: _Statement(found, reader.dialect, values)
        )
        if plan.is_direct:
            return await _fetch(connection, plan.shape.query(values, parameters), plan)
    result = cast(CursorResult[Any], await session.execute(statement, dict(parameters)))
    return result.all() if result.returns_rows else []


async def fetch(session: AsyncSession, query: Query) -> Rows:
    """The rows of a compiled SELECT in the session's transaction; what the session holds is sent before."""
    connection = await _begin(session)
    if not hasattr(connection.connection.dbapi_connection, "fetch"):
        result = await greenlet_spawn(connection.exec_driver_sql, query.sql, query.arguments)
        return result.all()
    return await _fetch(connection, query, None)


async def send(session: AsyncSession, queries: Sequence[Query]) -> None:
    """Run compiled INSERTs in the session's transaction; what the session holds stays where it is."""
    connection = await _begin(session, flush=False)
    driver = connection.connection.dbapi_connection
    if not hasattr(driver, "insert"):
        await greenlet_spawn(send_by_engine, connection, queries)
        return
    async with _refusing(connection, queries[0]):
        await cast(DirectConnection, driver).insert(queries)


def send_by_engine(connection: Connection, queries: Sequence[Query]) -> None:
    """Run compiled INSERTs by way of the engine, where the driver cannot or the engine tells of each statement."""
    for sql, group in groupby(queries, lambda query: query.sql):
        arguments = [query.arguments for query in group]
        connection.exec_driver_sql(sql, arguments if len(arguments) > 1 else arguments[0])


async def _begin(session: AsyncSession, *, flush: bool = True) -> Connection:
    """The connection of the session's transaction, without a switch of stacks where there is one already."""
    held = session.sync_session
    if flush and not held._is_clean():
        await session.flush()
    connection: Connection | None = held.info.get(_CONNECTION)
    if connection is None or connection.closed or not connection.in_transaction():
        connection = (await session.connection()).sync_connection
        assert connection is not None
    return connection


async def _fetch(connection: Connection, query: Query, context: Any) -> Rows:
    for listener in connection.dispatch.before_cursor_execute:
        listener(connection, None, query.sql, query.arguments, context, False)
    async with _refusing(connection, query):
        return await cast(DirectConnection, connection.connection.dbapi_connection).fetch(query)


@asynccontextmanager
async def _refusing(connection: Connection, query: Query) -> AsyncIterator[None]:
    dbapi: Any = connection.dialect.dbapi
    try:
        yield
    except (dbapi.Error, asyncio.CancelledError) as error:
        # A connection that is broken, or in the middle of an answer, is ended, which speaks to the driver.
        await greenlet_spawn(_refuse, connection, query, error)
        raise


def _refuse(connection: Connection, query: Query, error: BaseException) -> NoReturn:
    """What SQLAlchemy does with an error of the driver."""
    try:
        raise error
    except BaseException:
        connection._handle_dbapi_exception(error, query.sql, query.arguments, None, None)

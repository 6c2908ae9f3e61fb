"""Statements inside a session's transaction that run on the driver itself, where it can: what SQLAlchemy does for a statement costs
more than a small one costs the database.

    rows = await execute(session, _LOCKED, {"sku_ids": sku_ids})

The session's own statements and its flushes are SQLAlchemy's as ever; both see what the other has written. A transaction that needs
neither begins and ends on the driver too (`kernel.db.row_session`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any, NoReturn, Protocol, cast

from sqlalchemy import Connection, CursorResult, Delete, Dialect, Engine, Executable, Insert, Update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.util.concurrency import greenlet_spawn

from xumi.kernel.context import current
from xumi.kernel.db.row_session import RowSession, take_over
from xumi.kernel.db.runner import Query, Rows
from xumi.kernel.db.shape import Shape, Values

_NONE: Mapping[str, Any] = MappingProxyType({})
_COMMIT = Query("COMMIT", ())


class DirectConnection(Protocol):
    """A connection of SQLAlchemy's driver that also runs statements by itself."""

    async def begin(self, sql: str) -> int:
        """Begin a transaction with a SELECT that has no parameters, in one round trip; returns how many rows it gives."""
        ...

    async def fetch(self, query: Query) -> Rows:
        """All rows of a statement, in the connection's transaction; raises the driver's errors as SQLAlchemy knows them."""
        ...

    async def insert(self, queries: Sequence[Query]) -> None:
        """Run INSERTs that return nothing."""
        ...

    async def insert_with(self, queries: Sequence[Query], last: Query) -> Rows:
        """Run INSERTs that return nothing and another statement, in as few round trips as they need; returns that one's rows."""
        ...

    async def commit_with(self, queries: Sequence[Query]) -> None:
        """Run INSERTs that return nothing, and commit."""
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


async def begin(session: AsyncSession, sql: str) -> int | None:
    """Begin a session's transaction with a SELECT, in one round trip.

    Args:
        session: a unit of work's.
        sql: without parameters; nothing in it comes from a caller.

    Returns:
        How many rows it gives; None where it has not run, because the transaction had begun or the driver cannot.

    Raises:
        SQLAlchemyError: as `session.execute` would.
    """
    held = _held(session)
    if session.in_transaction() or not can_run_directly(held):
        return None
    connection = await greenlet_spawn(held.begin_directly)
    driver, query = _driver(connection), Query(sql, ())
    _tell_listeners(connection, query, None)
    try:
        return await driver.begin(sql)
    except (connection.dialect.loaded_dbapi.Error, asyncio.CancelledError) as error:
        await _refuse(held, connection, query, error)


async def execute(
    session: AsyncSession,
    statement: Executable,
    parameters: Mapping[str, Any] = _NONE,
    *,
    takes_rows: bool = False,
) -> Rows:
    """Run a statement in the session's transaction, compiled once for its shape, and return what rows it gives.

    Args:
        session: the running unit of work's.
        statement: a SELECT, or a change, with RETURNING where its rows are wanted. Make it once, in the module.
        parameters: values of the statement's `bindparam("name")`.
        takes_rows: rows that wait to be inserted go with it where they can, as one statement; so it does not see them.

    Raises:
        SQLAlchemyError: as `session.execute` would.
    """
    held = _held(session)
    if can_run_directly(held):
        database = current().resources.database
        plan, values = database.read.plan(
            statement, _Statement, lambda found, values: _Statement(found, database.read.dialect, values)
        )
        if plan.is_direct:
            takes_rows = takes_rows and bool(held.rows) and not held.holds_changes
            connection = await _begin(held, flush=not takes_rows)
            query = plan.shape.query(values, parameters)
            rows = database.insertions.take(held, connection) if takes_rows else ()
            return await _fetch(held, connection, query, plan, rows)
    result = cast(CursorResult[Any], await session.execute(statement, dict(parameters)))
    return result.all() if result.returns_rows else []


async def fetch(session: AsyncSession, query: Query) -> Rows:
    """The rows of a compiled SELECT in the session's transaction; what the session holds is sent before."""
    held = _held(session)
    connection = await _begin(held)
    if not can_run_directly(held):
        result = await greenlet_spawn(connection.exec_driver_sql, query.sql, query.arguments)
        return result.all()
    return await _fetch(held, connection, query, None)


async def connect(session: AsyncSession) -> Connection:
    """The connection of the session's transaction, which begins if there is none; what the session holds stays where it is."""
    return await _begin(_held(session), flush=False)


async def send(session: AsyncSession, connection: Connection, queries: Sequence[Query]) -> None:
    """Run compiled INSERTs in the session's transaction."""
    held = _held(session)
    if not can_run_directly(held):
        await greenlet_spawn(send_by_engine, connection, queries)
        return
    try:
        await _driver(connection).insert(queries)
    except (connection.dialect.loaded_dbapi.Error, asyncio.CancelledError) as error:
        await _refuse(held, connection, queries[0], error)


def send_by_engine(connection: Connection, queries: Sequence[Query]) -> None:
    """Run compiled INSERTs by way of the engine, where the driver cannot or the engine tells of each statement."""
    for sql, group in groupby(queries, lambda query: query.sql):
        arguments = [query.arguments for query in group]
        connection.exec_driver_sql(sql, arguments if len(arguments) > 1 else arguments[0])


async def commit(session: RowSession, queries: Sequence[Query]) -> None:
    """Run compiled INSERTs, and commit a transaction that SQLAlchemy has no part in; its session's own is to be ended then.

    Raises:
        SQLAlchemyError: nothing was kept.
    """
    connection = session.direct
    assert connection is not None
    try:
        await _driver(connection).commit_with(queries)
    except (connection.dialect.loaded_dbapi.Error, asyncio.CancelledError) as error:
        await _refuse(session, connection, queries[0] if queries else _COMMIT, error)
    session.give_back()


def _held(session: AsyncSession) -> RowSession:
    return cast(RowSession, session.sync_session)


async def _begin(session: RowSession, *, flush: bool = True) -> Connection:
    """The connection of the session's transaction, without a switch of stacks where there is one already."""
    if flush and not session._is_clean():
        await greenlet_spawn(session.flush)
    if session.in_nested_transaction():
        # SQLAlchemy sends SAVEPOINT when it is asked for the connection.
        return await greenlet_spawn(session.connection)
    connection = session.began_connection
    if connection is not None:
        return connection
    return await greenlet_spawn(session.begin_directly if can_run_directly(session) else session.connection)


def can_run_directly(session: RowSession) -> bool:
    """Whether statements of this module run on the driver; else they go through the session."""
    bind = cast(Engine | Connection, session.bind)
    return getattr(bind.dialect.loaded_dbapi, "can_run_directly", False)


def _driver(connection: Connection) -> DirectConnection:
    return cast(DirectConnection, connection.connection.dbapi_connection)


def _tell_listeners(connection: Connection, query: Query, context: Any) -> None:
    for listener in connection.dispatch.before_cursor_execute:
        listener(connection, None, query.sql, query.arguments, context, False)


async def _fetch(
    session: RowSession, connection: Connection, query: Query, context: Any, before: Sequence[Query] = ()
) -> Rows:
    _tell_listeners(connection, query, context)
    driver = _driver(connection)
    try:
        return await (driver.insert_with(before, query) if before else driver.fetch(query))
    except (connection.dialect.loaded_dbapi.Error, asyncio.CancelledError) as error:
        await _refuse(session, connection, query, error)


async def _refuse(
    session: RowSession, connection: Connection, query: Query, error: BaseException
) -> NoReturn:
    """What SQLAlchemy does with an error of the driver."""
    # A connection that is broken, or in the middle of an answer, is ended, which speaks to the driver.
    await greenlet_spawn(_tell, session, connection, query, error)
    raise AssertionError("unreachable")


def _tell(session: RowSession, connection: Connection, query: Query, error: BaseException) -> NoReturn:
    # What goes on in this transaction has to find out that it failed.
    take_over(session)
    try:
        raise error
    except BaseException:
        connection._handle_dbapi_exception(error, query.sql, query.arguments, None, None)

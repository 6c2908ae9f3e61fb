"""Writes: the unit of work of a request, command or job, and `DatabaseManager` for scripts.

Services take a session and never commit; who opened the unit of work commits it. The HTTP pipeline does so before the first
byte of the response, and a commit that fails is an error of the request.
"""

import asyncio
import inspect
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Protocol, TypeVar, cast

from fastapi import Depends
from sqlalchemy import Table, event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import SessionTransaction

from xumi.kernel.config import CONFIG
from xumi.kernel.context import current, find_current
from xumi.kernel.db.direct import can_run_directly, fetch
from xumi.kernel.db.errors import is_retryable, translate
from xumi.kernel.db.location import parse_url
from xumi.kernel.db.model import ModelBase
from xumi.kernel.db.row_session import Row, RowSession, add_row
from xumi.kernel.db.runner import ConnectionRunner, Query, Rows, Runner
from xumi.kernel.db.savepoint import is_inside
from xumi.kernel.db.scope import ScopedSession

if TYPE_CHECKING:
    from xumi.kernel.db.engine import Database

T = TypeVar("T")

MAX_TRIES = 3
FIRST_PAUSE_SECONDS = 0.02

# Closings that go on after the task that wanted them was cancelled; kept here so that they are not collected.
_closing: set[asyncio.Task[Any]] = set()


async def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end even if the caller is cancelled meanwhile, so that the connection goes back to its pool."""
    task = asyncio.create_task(work)
    _closing.add(task)
    task.add_done_callback(_closing.discard)
    await asyncio.shield(task)


class _TransactionRunner:
    """Runs reads inside a session's transaction, after sending what the session has not sent yet.

    A connection does one thing at a time: reads that a service runs side by side take turns.
    """

    def __init__(self, session: AsyncSession, turn: asyncio.Lock) -> None:
        self._session = session
        self._turn = turn

    async def fetch(self, query: Query) -> Rows:
        """All rows of a query."""
        async with self._turn:
            return await fetch(self._session, query)

    async def fetch_two(
        self, first: Query, second: Query, needs_second: Callable[[Rows], bool]
    ) -> tuple[Rows, Rows]:
        """One after the other."""
        async with self._turn:
            rows = await fetch(self._session, first)
            return rows, (await fetch(self._session, second) if needs_second(rows) else ())

    async def stream(self, query: Query, size: int) -> AsyncIterator[Rows]:
        """Batches; nobody else reads meanwhile."""
        async with self._turn:
            await self._session.flush()
            async for rows in ConnectionRunner(await self._session.connection()).stream(query, size):
                yield rows

    async def close(self) -> None:
        """The connection belongs to the session."""


class _Locking(NamedTuple):
    work: Callable[[AsyncSession], Awaitable[None]]
    takes_rows: bool
    savepoint: SessionTransaction | None


class UnitOfWork:
    """One transaction of one piece of work, opened when its session is first used.

    Args:
        database: where the session comes from.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._session: AsyncSession | None = None
        self._before: list[Callable[[AsyncSession], Awaitable[None]]] = []
        # Each with the savepoint in which it was asked for.
        self._last_rows: list[tuple[Row, SessionTransaction | None]] = []
        self._locking: list[_Locking] = []
        self._watches_savepoints = False
        self._hooks: list[Callable[[], Awaitable[None] | None]] = []
        self._turn: asyncio.Lock | None = None

    @property
    def session(self) -> AsyncSession:
        """The session of this work; it takes a connection at its first statement."""
        if self._session is None:
            self._session = self._database.sessions()
        return self._session

    @property
    def active(self) -> bool:
        """Whether a transaction has begun, so that reads must run inside it."""
        return self._session is not None and self._session.in_transaction()

    @property
    def touched(self) -> bool:
        """Whether a commit has anything to do."""
        return self.active or bool(self._before) or bool(self._hooks)

    @property
    def runner(self) -> Runner:
        """Runs reads inside the transaction."""
        if self._turn is None:
            self._turn = asyncio.Lock()
        return _TransactionRunner(self.session, self._turn)

    def before_commit(self, hook: Callable[[AsyncSession], Awaitable[None]]) -> None:
        """Call `hook` with the session when all other work is done, inside the transaction; forgotten on rollback.

        The same function is called once, however often it was given; so it is with `after_commit`.
        """
        if hook not in self._before:
            self._before.append(hook)

    def lock_last(self, work: Callable[[AsyncSession], Awaitable[None]], *, takes_rows: bool = False) -> None:
        """Call `work` with the session when everything else, hooks and events too, has been sent to the database, right before the commit.

        For rows that many transactions change: whoever waits for their locks waits for what comes after them. It may refuse by raising
        an error, and publish what it finds. A savepoint that is rolled back takes it away.

        Args:
            work: takes the locks.
            takes_rows: its first statement is a `kernel.db.direct.execute` with `takes_rows`, which saves a round trip.
        """
        self._locking.append(_Locking(work, takes_rows, self._savepoint()))

    def find_before_commit(self, kind: type[T]) -> T | None:
        """The hook of this class that waits for the commit, so that several pieces of work can share one."""
        return next((hook for hook in self._before if isinstance(hook, kind)), None)

    def insert_last(self, table: Table, row: Mapping[str, Any]) -> None:
        """Insert a row when all other work and the hooks are done, inside the transaction; forgotten on rollback.

        Nobody sees it before, this transaction's own reads neither. A savepoint that is rolled back takes it away.

        Args:
            table: where it goes.
            row: values by column, the same columns each time; the others get their defaults.
        """
        self._last_rows.append(((table, row), self._savepoint()))

    def _savepoint(self) -> SessionTransaction | None:
        if self._session is None:
            return None
        session = self._session.sync_session
        savepoint = session.get_nested_transaction()
        if savepoint is not None and not self._watches_savepoints:
            event.listen(session, "after_soft_rollback", self._forget)
            self._watches_savepoints = True
        return savepoint

    def _forget(self, _session: OrmSession, ended: SessionTransaction) -> None:
        self._last_rows = [each for each in self._last_rows if not is_inside(each[1], ended)]
        self._locking = [each for each in self._locking if not is_inside(each.savepoint, ended)]

    def after_commit(self, hook: Callable[[], Awaitable[None] | None]) -> None:
        """Call `hook` once the commit has succeeded; forgotten on rollback.

        A process may die between the commit and the hook: use it for what may be lost, such as dropping a cache entry.
        """
        if hook not in self._hooks:
            self._hooks.append(hook)

    async def flush(self) -> None:
        """Send what is to be inserted last, and take the locks that were to come last, for who goes on in this transaction."""
        locking, self._locking = self._locking, []
        rows = self._take_last_rows()
        held = cast(RowSession, self.session.sync_session)
        if locking and locking[0].takes_rows and can_run_directly(held) and not held.holds_changes:
            for table, row in rows:
                add_row(self.session, table, row)
        else:
            await self._database.insertions.send(self.session, rows)
        for each in locking:
            await each.work(self.session)

    async def commit(self) -> None:
        """Run the first hooks, make everything durable, then run the others.

        Raises:
            SQLAlchemyError: the commit failed and nothing was kept; `kernel.db.errors.translate` says what to tell the caller.
        """
        insertions = self._database.insertions
        await self._run_first_hooks()
        if self._locking:
            await self.flush()
            await self._run_first_hooks()
        rows = self._take_last_rows()
        if (self.active or rows) and not await insertions.commit(self.session, rows):
            await insertions.commit_with(self.session, rows)
        hooks, self._hooks = self._hooks, []
        for hook in hooks:
            result = hook()
            if inspect.isawaitable(result):
                await result

    def _take_last_rows(self) -> list[Row]:
        rows, self._last_rows = self._last_rows, []
        return [row for row, _ in rows]

    async def _run_first_hooks(self) -> None:
        while self._before:
            # A hook may register another one.
            await self._before.pop(0)(self.session)

    async def rollback(self) -> None:
        """Undo everything since the last commit. Safe to call twice, and on a cancelled task."""
        self._before.clear()
        self._locking.clear()
        self._last_rows.clear()
        self._hooks.clear()
        if self._session is not None:
            await _finish(self._session.rollback())

    async def close(self) -> None:
        """Roll back what was not committed and give the connection back. Safe to call twice, and on a cancelled task."""
        self._before.clear()
        self._locking.clear()
        self._last_rows.clear()
        self._hooks.clear()
        if self._session is not None:
            session, self._session = self._session, None
            held = cast(RowSession, session.sync_session)
            if held.in_transaction() and held.has_connected:
                await _finish(session.close())
            elif held.in_transaction() or held.identity_map:
                held.close()


class HasDatabase(Protocol):
    """What holds a database: `Resources`."""

    @property
    def database(self) -> "Database":
        """The database."""
        ...


@asynccontextmanager
async def unit_of_work(resources: HasDatabase | None = None) -> AsyncIterator[UnitOfWork]:
    """A transaction of its own: committed at the end of the block, rolled back on any error.

    While it lasts it is the running context's unit of work. On SQLite, where only one transaction can write at a time, do not
    open one inside another that has written already.

    Raises:
        RuntimeError: no resources are given and nothing runs here that has any.
    """
    context = find_current()
    work = UnitOfWork((resources or current().resources).database)
    outer = context.unit_of_work if context is not None else None
    if context is not None:
        context.unit_of_work = work
    try:
        yield work
        await work.commit()
    finally:
        if context is not None:
            context.unit_of_work = outer
        await work.close()


@asynccontextmanager
async def separate_transaction(
    resources: HasDatabase | None = None, *, beside: bool = False
) -> AsyncIterator[AsyncSession]:
    """A transaction beside whatever runs: committed at the end of the block, rolled back on any error.

    Args:
        resources: what holds the database; the running context's by default.
        beside: the running unit of work may have a transaction open. On SQLite, which has one writer, this one may have to wait
            for that one's end.

    Raises:
        RuntimeError: the running unit of work has a transaction open, for whose end this one would wait on SQLite.
    """
    context = find_current()
    if (
        not beside
        and context is not None
        and context.unit_of_work is not None
        and context.unit_of_work.active
    ):
        raise RuntimeError(
            "A transaction is open here, and on SQLite, which has one writer, a second would wait for its end: do this "
            "before the transaction begins, or, where it takes one, pass session=… to make it part of that transaction."
        )
    work = UnitOfWork((resources or current().resources).database)
    try:
        yield work.session
        await work.commit()
    finally:
        await work.close()


async def request_session() -> AsyncSession:
    """The session of the running request."""
    context = current()
    if context.unit_of_work is None:
        context.unit_of_work = UnitOfWork(context.resources.database)
    return context.unit_of_work.session


Session = Annotated[AsyncSession, Depends(request_session)]
"""A handler's parameter: the request's session. It is committed before the response is sent."""


def insert_last(model: type[ModelBase], **values: Any) -> None:
    """Insert a row with the commit of the running unit of work; it costs a fraction of an entity, and nobody sees it before.

    Args:
        model: its table.
        values: by column; the others get their defaults.

    Raises:
        RuntimeError: no unit of work runs here.
    """
    _running().insert_last(cast(Table, model.__table__), values)


def lock_last(work: Callable[[AsyncSession], Awaitable[None]], *, takes_rows: bool = False) -> None:
    """`UnitOfWork.lock_last` of the running unit of work.

    Raises:
        RuntimeError: none runs here.
    """
    _running().lock_last(work, takes_rows=takes_rows)


def _running() -> UnitOfWork:
    work = current().unit_of_work
    if work is None:
        raise RuntimeError(
            "This belongs to a transaction: take a Session in the handler, or use `async with unit_of_work()`."
        )
    return work


async def retry_on_conflict(
    work: Callable[[AsyncSession], Awaitable[T]], resources: HasDatabase | None = None
) -> T:
    """Run a whole transaction, and again from its start when the database chose it as the victim of a conflict.

    `work` gets a fresh session each time and must take everything it needs from it: objects of another session, or facts read
    before, would be of the transaction that failed. What it does outside the database happens at every try.

    Raises:
        APIException: `TRANSACTION_CONFLICT`, it failed three times.
    """
    for attempt in range(1, MAX_TRIES + 1):
        try:
            async with unit_of_work(resources) as unit:
                return await work(unit.session)
        except Exception as error:
            if not is_retryable(error):
                raise
            if attempt == MAX_TRIES:
                raise translate(error) or error from error
        await asyncio.sleep(FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5))
    raise AssertionError("unreachable")


class DatabaseManager:
    """A session for scripts and commands, in both forms; commits at the end of the block, rolls back on any error.

        with DatabaseManager() as db:                 async with DatabaseManager() as db:
            db.add(Poster(title="…"))                     db.add(Poster(title="…"))
            db.commit()      # allowed in between         await db.commit()

    The database is the running context's, else that of `DATABASE_URL`.

    Raises:
        RuntimeError: the synchronous form is used where an event loop runs, which it would block.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._async_stack = AsyncExitStack()

    def __enter__(self) -> OrmSession:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError(
                "`with DatabaseManager()` would stop the event loop that runs here: use `async with DatabaseManager()`."
            )
        from xumi.kernel.db.bridge import sync_engine

        context = find_current()
        url = context.resources.database.url if context is not None else parse_url(CONFIG.database_url)[1]
        session = ScopedSession(sync_engine(url), expire_on_commit=False)
        return self._stack.enter_context(_committed(session))

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    async def __aenter__(self) -> AsyncSession:
        return await self._async_stack.enter_async_context(_session_of_process())

    async def __aexit__(self, *error: Any) -> None:
        await self._async_stack.__aexit__(*error)


@contextmanager
def _committed(session: OrmSession) -> Iterator[OrmSession]:
    try:
        yield session
        session.commit()
    finally:
        session.close()


@asynccontextmanager
async def _session_of_process() -> AsyncIterator[AsyncSession]:
    if find_current() is not None:
        async with unit_of_work() as work:
            yield work.session
        return
    from xumi.kernel.db.engine import Database

    database = Database(CONFIG.database_url, pool_size=2)
    try:
        async with database.sessions() as session:
            yield session
            await session.commit()
    finally:
        await _finish(database.close())

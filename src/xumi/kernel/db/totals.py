"""Totals of lists that are remembered for some seconds, because counting a table costs more than reading a page of it.

A total is remembered with the number of writes that this process had made to the tables that it counts. A write of this process
makes it void at once; writes of other processes show after `MAX_AGE_SECONDS`. While a transaction of this process writes to a
table, its totals are counted anew each time, for nobody knows yet what will be committed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Set
from contextlib import AbstractContextManager
from functools import lru_cache
from time import monotonic
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Executable, FromClause, Table, TextClause, event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, ExecutionContext
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.visitors import iterate

from xumi.kernel.db.runner import Query

MAX_AGE_SECONDS = 10.0
MAX_TOTALS = 1024
ANY_TABLE = "*"
"""Stands for the tables of a statement that is text."""

_READING_WORDS = ("SELECT", "PRAGMA", "EXPLAIN", "VALUES", "SHOW", "SET", "BEGIN")
_LONGEST_WORD = max(map(len, _READING_WORDS))
_SAVEPOINTS = ("savepoint", "rollback_to_savepoint", "release_savepoint")

Tables = frozenset[str]


class Total(NamedTuple):
    """How many items there are, and how many seconds ago that was counted."""

    value: int
    age_seconds: float


_Writes = tuple[int, ...]
"""How often this process has written to each of some tables."""


class _Remembered(NamedTuple):
    value: int
    counted_at: float
    writes: _Writes


class _Transaction:
    """One that is open."""


class Totals:
    """The remembered totals of one database."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[Query, _Remembered] = OrderedDict()
        self._counting: dict[tuple[Query, _Writes], asyncio.Task[int]] = {}
        self._writes: dict[str, int] = {}
        self._all_writes = 0
        # By connection: it is forgotten with its connection, however that ends.
        self._open: WeakKeyDictionary[object, Set[str]] = WeakKeyDictionary()

    def install(self, engine: Engine) -> None:
        """Hear of every write that goes through this engine."""
        event.listen(engine, "before_cursor_execute", self._note_write)
        event.listen(engine, "checkin", self._end_writes)

    async def find(self, query: Query, tables: Tables, count: Callable[[Query], Awaitable[int]]) -> Total:
        """The total of a counting query, remembered or counted now; one request counts, the others wait for it.

        Args:
            query: the statement that counts.
            tables: what it reads.
            count: runs it.
        """
        if self._is_being_written(tables) or not _can_be_remembered(query):
            return Total(await count(query), 0.0)
        writes = self._written(tables)
        found = self._remembered.get(query)
        if found is not None and found.writes == writes:
            age = monotonic() - found.counted_at
            if age <= MAX_AGE_SECONDS:
                return Total(found.value, age)
        # Who comes after a write does not join a count that began before it.
        place = query, writes
        task = self._counting.get(place)
        if task is None:
            task = self._counting[place] = asyncio.create_task(self._count(query, writes, count))
            task.add_done_callback(lambda done: self._forget_count(place, done))
        return Total(await asyncio.shield(task), 0.0)

    def version(self, tables: Tables) -> tuple[int, ...] | None:
        """Another one after each write of this process to these tables; None while one is under way."""
        return None if self._is_being_written(tables) else self._written(tables)

    async def _count(self, query: Query, writes: _Writes, count: Callable[[Query], Awaitable[int]]) -> int:
        counted_at = monotonic()
        value = await count(query)
        self._remembered[query] = _Remembered(value, counted_at, writes)
        self._remembered.move_to_end(query)
        if len(self._remembered) > MAX_TOTALS:
            self._remembered.popitem(last=False)
        return value

    def _forget_count(self, place: tuple[Query, _Writes], done: asyncio.Task[int]) -> None:
        del self._counting[place]
        # All who waited may be gone: then nobody else takes notice of the error.
        if not done.cancelled():
            done.exception()

    def _written(self, tables: Tables) -> _Writes:
        if ANY_TABLE in tables:
            return (self._all_writes,)
        return tuple([self._writes.get(table, 0) for table in (ANY_TABLE, *sorted(tables))])

    def _is_being_written(self, tables: Tables) -> bool:
        return len(self._open) > 0 and any(
            ANY_TABLE in written or ANY_TABLE in tables or not tables.isdisjoint(written)
            for written in self._open.values()
        )

    def _note_write(
        self,
        connection: Connection,
        _cursor: DBAPICursor,
        statement: str,
        _parameters: Any,
        context: ExecutionContext | None,
        _many: bool,
    ) -> None:
        tables = _written_by(statement, context)
        if tables:
            self.note_writes(connection, tables)

    def note_writes(self, connection: Connection, tables: Tables) -> None:
        """The transaction of a connection writes to these tables; it ends when the connection is given back."""
        entry = cast(ConnectionPoolEntry, connection.connection._connection_record)
        self._open[entry] = tables.union(self._open.get(entry, ()))
        self._count_writes(tables)

    def writing(self, tables: Tables) -> AbstractContextManager[None]:
        """A block in which a transaction writes to these tables that does not go through an engine."""
        return _Writing(self, tables)

    def begin_writes(self, transaction: object, tables: Tables) -> None:
        """Note that a transaction writes to these tables from now on."""
        self._open[transaction] = tables
        self._count_writes(tables)

    def end_writes(self, transaction: object) -> None:
        """Note that it has ended."""
        self._count_writes(self._open.pop(transaction, ()))

    def _end_writes(self, _connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        self.end_writes(entry)

    def _count_writes(self, tables: Iterable[str]) -> None:
        for table in tables:
            self._all_writes += 1
            self._writes[table] = self._writes.get(table, 0) + 1


class _Writing:
    """One use of `Totals.writing`: around every transaction, where a generator would cost four times as much."""

    __slots__ = ("__weakref__", "_tables", "_totals")

    def __init__(self, totals: Totals, tables: Tables) -> None:
        self._totals, self._tables = totals, tables

    def __enter__(self) -> None:
        self._totals.begin_writes(self, self._tables)

    def __exit__(self, *_: object) -> None:
        self._totals.end_writes(self)


def _can_be_remembered(query: Query) -> bool:
    try:
        hash(query)
    except TypeError:
        # An array among the arguments.
        return False
    return True


def _written_by(statement: str, context: Any) -> Tables:
    """The tables that a statement may write to."""
    compiled = None if context is None else context.compiled
    if compiled is None or isinstance(compiled.statement, TextClause):
        reads = statement.lstrip("( \n\t")[:_LONGEST_WORD].upper().startswith(_READING_WORDS)
        return frozenset() if reads else frozenset({ANY_TABLE})
    if context.isinsert or context.isupdate or context.isdelete:
        return _changed_by(compiled.statement)
    if not (compiled.statement.is_select or compiled.statement.__visit_name__ in _SAVEPOINTS):
        return frozenset({ANY_TABLE})
    # A DELETE may hide in a WITH clause.
    hidden = [cte.element for cte in getattr(compiled, "ctes", None) or () if cte.element.is_dml]
    return frozenset[str]().union(*map(_changed_by, hidden))


def _changed_by(statement: Any) -> Tables:
    table = statement.table
    return _with_dependents(table) if isinstance(table, Table) else frozenset({ANY_TABLE})


def _with_dependents(table: Table) -> Tables:
    """The table and those that the database changes along with it, by a foreign key's ON DELETE or ON UPDATE."""
    return _find_dependents(table, len(table.metadata.tables))


# Going through all tables takes longer than most statements; the number of tables tells when there is another one.
@lru_cache(maxsize=1024)
def _find_dependents(table: Table, _tables: int) -> Tables:
    found = {table}
    waiting = [table]
    while waiting:
        target = waiting.pop()
        for other in table.metadata.tables.values():
            follows = any(
                key.column.table is target and (key.ondelete or key.onupdate) for key in other.foreign_keys
            )
            if follows and other not in found:
                found.add(other)
                waiting.append(other)
    return frozenset(each.fullname for each in found)


def tables_of(statement: Executable) -> Tables:
    """The tables that a statement reads; `ANY_TABLE` where part of it is text."""
    found: set[str] = set()
    for node in iterate(cast(ClauseElement, statement)):
        source: Any = node if isinstance(node, FromClause) else getattr(node, "table", None)
        while getattr(source, "element", None) is not None:
            source = source.element
        if isinstance(source, Table):
            found.add(source.fullname)
        elif isinstance(node, TextClause):
            found.add(ANY_TABLE)
    return frozenset(found) or frozenset({ANY_TABLE})

"""Commits of units of work that have only added entities: the ORM's session, without the ORM's flush.

A flush with its transaction costs 700 to 900 µs for one entity, of which the database and its driver need 100. What it does for an
entity of a plain model that is new is known beforehand: one INSERT, whose text is made once per model. So where a session holds
nothing but such entities and has not spoken to the database yet, its commit sends these statements to the driver in one
transaction, and the entities become persistent. Everything else, and whatever the database refuses, goes the ORM's way, which
tells what is wrong; a refused transaction has left nothing behind.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Column, ColumnElement, Dialect, Table, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper, Session, object_mapper
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from xumi.kernel.db.runner import LastInserts, NotWritten, Query

if TYPE_CHECKING:
    from xumi.kernel.db.engine import Database

Rows = Sequence[tuple[Table, Mapping[str, Any]]]

# Who listens to these expects a flush.
_SESSION_EVENTS = ("before_flush", "after_flush", "after_flush_postexec", "before_commit")
_MAPPER_EVENTS = ("before_insert", "after_insert")
# Set in `session.info` once the session has begun a transaction on a connection.
_BEGUN = "xumi_begun"


class _NeedsFlush(Exception):
    """An entity that only the ORM can insert."""


class _Plan:
    """How entities of one model are inserted.

    Raises:
        _NeedsFlush: the model has what only a flush knows: relationships, inheritance, values that the database makes.
    """

    def __init__(self, mapper: Mapper[Any], dialect: Dialect) -> None:
        table = mapper.local_table
        if not isinstance(table, Table) or not _is_plain(mapper, table):
            raise _NeedsFlush
        self.table = table
        # `inline`: nothing is read back.
        statement = insert(table).inline()
        compiled = statement.compile(dialect=dialect, column_keys=[column.key for column in table.columns])
        self.sql = str(compiled)
        attributes = {each.columns[0].key: each.key for each in mapper.column_attrs}
        processors = compiled._bind_processors
        self._columns = [
            _ColumnPlan(attributes[name], table.c[name], cast(Any, processors.get(name)))
            for name in compiled.positiontup or ()
        ]
        if len(self._columns) != len(table.columns):
            raise _NeedsFlush

    def values(self, entity: object) -> tuple[Query, dict[str, Any]]:
        """The statement for an entity, and the values that it lacks and the model's defaults make."""
        held = entity.__dict__
        arguments: list[Any] = []
        made: dict[str, Any] = {}
        for column in self._columns:
            name = column.attribute
            value = held.get(name)
            if value is None and not (column.keeps_none and name in held):
                if column.required:
                    raise _NeedsFlush
                value = made[name] = column.make()
                if value is None:
                    arguments.append(None)
                    continue
            elif isinstance(value, ColumnElement):
                raise _NeedsFlush
            arguments.append(value if column.process is None else column.process(value))
        return Query(self.sql, tuple(arguments)), made


class _ColumnPlan:
    """Where a column's value comes from, and what the driver wants of it."""

    __slots__ = ("attribute", "keeps_none", "make", "process", "required")

    def __init__(self, attribute: str, column: Column[Any], process: Callable[[Any], Any] | None) -> None:
        self.attribute = attribute
        self.process = process
        # To these types (JSON) None is a value.
        self.keeps_none = column.type.should_evaluate_none
        self.make = _default(column)
        self.required = column.primary_key and column.default is None


def _default(column: Column[Any]) -> Callable[[], Any]:
    default: Any = column.default
    if default is None:
        return lambda: None
    if default.is_scalar:
        return lambda: default.arg
    # SQLAlchemy wraps a function that takes no context in one that does; one that takes it wants a flush's.
    if default.is_callable and hasattr(default.arg, "__wrapped__"):
        return lambda: default.arg(None)
    raise _NeedsFlush


def _is_plain(mapper: Mapper[Any], table: Table) -> bool:
    attributes = list(mapper.column_attrs)
    return (
        not mapper.inherits
        and mapper.polymorphic_on is None
        and mapper.version_id_col is None
        and not mapper.relationships
        and not mapper.composites
        and len(attributes) == len(table.columns)
        and all(
            len(each.columns) == 1 and each.columns[0] is table.c.get(each.columns[0].key)
            for each in attributes
        )
        and not any(c.server_default is not None or c.computed or c.identity for c in table.columns)
    )


class Insertions:
    """The plans of one database's models.

    Args:
        database: where rows go; its driver must be able to `write`.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._plans: dict[Mapper[Any], _Plan | None] = {}
        self._compiled: dict[tuple[Table, tuple[str, ...]], Any] = {}

    async def commit(self, session: AsyncSession, rows: Rows = ()) -> bool:
        """Commit a session that has only added entities of plain models.

        Args:
            session: what to commit.
            rows: what to insert after its entities, as table and values by column.

        Returns:
            False if it holds something else, or was refused: nothing has been written and the session is as it was.

        Raises:
            DatabaseUnavailable: the connection was lost after the commit had been sent; it may have succeeded or not.
        """
        sync = session.sync_session
        writer = self._database.writer
        if writer is None or not (sync.new or rows) or _needs_flush(sync):
            return False
        # As they were added.
        entities = list(sync.new)
        try:
            found = [(entity, self._plan(object_mapper(entity))) for entity in entities]
            if len(found) > 1:
                found.sort(key=lambda pair: self._place(pair[1].table))
            written = [(entity, *plan.values(entity)) for entity, plan in found]
            queries = [query for _, query, _ in written] + [self._query(table, row) for table, row in rows]
        except Exception:
            # A default that fails, a value that its type does not take: the ORM says so in its own words.
            return False
        tables = frozenset(
            {*(plan.table.fullname for _, plan in found), *(table.fullname for table, _ in rows)}
        )
        try:
            with self._database.writing(tables):
                await writer.write(queries)
        except NotWritten:
            return False
        for entity, _, made in written:
            for name, value in made.items():
                set_committed_value(entity, name, value)
        sync._register_persistent({instance_state(entity) for entity in entities})
        # Nothing is left to flush and there is no connection: this ends the session's transaction, without a switch of stacks.
        sync.commit()
        return True

    async def commit_with(self, session: AsyncSession, rows: Rows) -> None:
        """Insert rows after everything else that a session holds, in its transaction, and commit it.

        Args:
            session: what has been written to already.
            rows: table and values by column.

        Raises:
            SQLAlchemyError: nothing was kept.
        """
        queries = [self._query(table, row) for table, row in rows]
        commit = _commit_and_tell if self._database.writer is None else _commit_with
        with self._database.writing(frozenset(table.fullname for table, _ in rows)):
            # One switch of stacks for all of it: each costs as much as a small query.
            await session.run_sync(commit, queries)

    def _query(self, table: Table, row: Mapping[str, Any]) -> Query:
        names = tuple(row)
        compiled = self._compiled.get((table, names))
        if compiled is None:
            statement = insert(table).inline()
            compiled = statement.compile(dialect=self._database.engine.dialect, column_keys=list(names))
            self._compiled[table, names] = compiled
        processors = compiled._bind_processors
        arguments = []
        for name in compiled.positiontup or ():
            process: Any = processors.get(name)
            arguments.append(row[name] if process is None else process(row[name]))
        return Query(str(compiled), tuple(arguments))

    def _plan(self, mapper: Mapper[Any]) -> _Plan:
        try:
            plan = self._plans[mapper]
        except KeyError:
            try:
                plan = _Plan(mapper, self._database.engine.dialect)
            except _NeedsFlush:
                plan = None
            self._plans[mapper] = plan
        if plan is None or any(getattr(mapper.dispatch, name) for name in _MAPPER_EVENTS):
            raise _NeedsFlush
        return plan

    def _place(self, table: Table) -> int:
        """Tables that others refer to come first."""
        return table.metadata.sorted_tables.index(table)


def _commit_with(session: Session, queries: Sequence[Query]) -> None:
    """Let the driver insert: what SQLAlchemy does for a statement costs more than the database does."""
    driver = cast(LastInserts, session.connection().connection.dbapi_connection)
    driver.last = queries
    try:
        session.commit()
    finally:
        driver.last = ()


def _commit_and_tell(session: Session, queries: Sequence[Query]) -> None:
    """The same by way of the engine, where the driver cannot or the engine tells of each statement."""
    try:
        session.flush()
        connection = session.connection()
        for sql, group in groupby(queries, lambda query: query.sql):
            arguments = [query.arguments for query in group]
            connection.exec_driver_sql(sql, arguments if len(arguments) > 1 else arguments[0])
    except Exception:
        # A second commit would keep the rest.
        session.rollback()
        raise
    session.commit()


def _needs_flush(session: Session) -> bool:
    return bool(
        _BEGUN in session.info
        or session.deleted
        or session.dirty
        or session.in_nested_transaction()
        or any(getattr(session.dispatch, name) for name in _SESSION_EVENTS)
    )


def has_begun(session: AsyncSession) -> bool:
    """Whether the session has ever had a connection."""
    return _BEGUN in session.sync_session.info


def note_begin(session: Session, *_: object) -> None:
    """Listens to `after_begin`: what follows belongs into that transaction."""
    session.info[_BEGUN] = True

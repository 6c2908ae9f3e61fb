"""Commits of units of work that have only added entities: the ORM's session, without the ORM's flush.

A flush with its transaction costs 700 to 900 µs for one entity, of which the database and its driver need 100. What it does for an
entity of a plain model that is new is known beforehand: one INSERT, whose text is made once per model. So where a session holds
nothing but such entities and has not spoken to the database yet, its commit sends these statements to the driver in one
transaction, and the entities become persistent. Everything else, and whatever the database refuses, goes the ORM's way, which
tells what is wrong; a refused transaction has left nothing behind.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import Column, ColumnElement, Connection, Dialect, Table, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper, Session, object_mapper
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from xumi.kernel.db import direct
from xumi.kernel.db.row_session import Row, RowSession, take_over
from xumi.kernel.db.runner import LastInserts, NotWritten, Query

if TYPE_CHECKING:
    from xumi.kernel.db.engine import Database

Rows = Sequence[Row]

# Who listens to these expects a flush.
_SESSION_EVENTS = ("before_flush", "after_flush", "after_flush_postexec")
_MAPPER_EVENTS = ("before_insert", "after_insert")


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


class _RowPlan:
    """How rows with these columns are inserted into a table; the model's defaults make the others."""

    def __init__(self, table: Table, names: tuple[str, ...], dialect: Dialect) -> None:
        made = {
            column.key: _default(column)
            for column in table.columns
            if column.key not in names and column.default is not None
        }
        compiled = insert(table).inline().compile(dialect=dialect, column_keys=[*names, *made])
        processors = cast(Mapping[str, Callable[[Any], Any]], compiled._bind_processors)
        columns = list(compiled.positiontup or ())
        self._sql = str(compiled)
        self._columns = columns
        self._made = [(name, made[name]) for name in columns if name in made]
        self._processed = [(n, processors[name]) for n, name in enumerate(columns) if name in processors]

    def query(self, row: Mapping[str, Any]) -> Query:
        """The statement for a row."""
        if self._made:
            row = {**row, **{name: make() for name, make in self._made}}
        arguments = [row[name] for name in self._columns]
        for n, process in self._processed:
            arguments[n] = process(arguments[n])
        return Query(self._sql, tuple(arguments))


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


class _Insert(NamedTuple):
    """An entity that is to be inserted, and what of it was made for that."""

    entity: object
    table: Table
    query: Query
    made: dict[str, Any]


def _tables(inserts: Sequence[_Insert], rows: Rows) -> frozenset[str]:
    return frozenset({*(each.table.fullname for each in inserts), *(table.fullname for table, _ in rows)})


def _take_rows(session: RowSession) -> list[Row]:
    rows, session.rows = session.rows, []
    return rows


def _register(session: Session, inserts: Sequence[_Insert]) -> None:
    """Tell a session that entities of its own are in the database."""
    if not inserts:
        return
    for entity, _, _, made in inserts:
        for name, value in made.items():
            set_committed_value(entity, name, value)
    session._register_persistent({instance_state(each.entity) for each in inserts})


class Insertions:
    """The plans of one database's models.

    Args:
        database: where rows go; its driver must be able to `write`.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._plans: dict[Mapper[Any], _Plan | None] = {}
        self._row_plans: dict[tuple[Table, tuple[str, ...]], _RowPlan] = {}
        self._places: dict[Table, int] = {}

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
        sync = cast(RowSession, session.sync_session)
        writer = self._database.writer
        rows = [*sync.rows, *rows]
        if writer is None or not (sync.new or rows) or sync.has_connected:
            return False
        inserts = self._collect(sync)
        if inserts is None:
            return False
        queries = self._queries(inserts, rows)
        try:
            with self._database.writing(_tables(inserts, rows)):
                await writer.write(queries)
        except NotWritten:
            return False
        sync.rows.clear()
        _register(sync, inserts)
        # Nothing is left to flush and there is no connection: this ends the session's transaction, without a switch of stacks.
        sync.commit()
        return True

    async def commit_with(self, session: AsyncSession, rows: Rows) -> None:
        """Commit the transaction that a session has begun, and insert with the commit what needs no flush.

        Args:
            session: what has been written to already; new entities that are plain are inserted here, if it holds nothing else.
            rows: what to insert after everything else, as table and values by column.

        Raises:
            SQLAlchemyError: nothing was kept.
        """
        if self._database.writer is None:
            with self._database.writing(_tables((), rows)):
                await session.run_sync(_commit_and_tell, self._queries((), rows))
            return
        sync = cast(RowSession, session.sync_session)
        inserts = self._collect(sync)
        if inserts is None:
            # The session's commit sends what it holds.
            queries, tables = self._queries((), rows), _tables((), rows)
        else:
            rows = [*_take_rows(sync), *rows]
            queries, tables = self._queries(inserts, rows), _tables(inserts, rows)
        with self._database.writing(tables):
            if inserts is not None and sync.stands_aside:
                await direct.commit(sync, queries)
                _register(sync, inserts)
                # Nothing is left to do: this ends the session's transaction, without a switch of stacks.
                sync.commit()
            elif queries:
                # One switch of stacks for all of it: each costs as much as a small query.
                await session.run_sync(_commit_with, inserts or (), queries)
            else:
                await session.commit()

    async def send(self, session: AsyncSession, rows: Rows) -> None:
        """Insert what a session holds, and rows behind it, without a commit.

        Raises:
            SQLAlchemyError: something was refused; the transaction must be rolled back.
        """
        sync = cast(RowSession, session.sync_session)
        inserts = self._collect(sync) if sync.holds_changes else []
        if inserts is None:
            await session.flush()
            inserts = []
        rows = [*_take_rows(sync), *rows]
        queries = self._queries(inserts, rows)
        if queries:
            connection = await direct.connect(session)
            self._database.note_writes(connection, _tables(inserts, rows))
            await direct.send(session, connection, queries)
            _register(sync, inserts)

    def take(self, session: RowSession, connection: Connection) -> list[Query]:
        """The statements of the rows that wait in a session, for who sends them on its connection."""
        rows = _take_rows(session)
        self._database.note_writes(connection, _tables((), rows))
        return self._queries((), rows)

    def _collect(self, session: Session) -> list[_Insert] | None:
        """What inserts all that is new; None where only a flush can."""
        if _needs_flush(session):
            return None
        try:
            # As they were added.
            found = [(entity, self._plan(object_mapper(entity))) for entity in session.new]
            if len(found) > 1:
                found.sort(key=lambda pair: self._place(pair[1].table))
            return [_Insert(entity, plan.table, *plan.values(entity)) for entity, plan in found]
        except Exception:
            # A default that fails, a value that its type does not take: the ORM says so in its own words.
            return None

    def _queries(self, inserts: Sequence[_Insert], rows: Rows) -> list[Query]:
        return [insert.query for insert in inserts] + [self._query(table, row) for table, row in rows]

    def _query(self, table: Table, row: Mapping[str, Any]) -> Query:
        names = tuple(row)
        plan = self._row_plans.get((table, names))
        if plan is None:
            plan = self._row_plans[table, names] = _RowPlan(table, names, self._database.engine.dialect)
        return plan.query(row)

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
        if table not in self._places:
            self._places = {each: number for number, each in enumerate(table.metadata.sorted_tables)}
        return self._places[table]


def _commit_with(session: Session, inserts: Sequence[_Insert], queries: Sequence[Query]) -> None:
    """Let the driver insert: what SQLAlchemy does for a statement costs more than the database does."""
    driver = cast(LastInserts, session.connection().connection.dbapi_connection)
    # If the commit fails, the session's rollback makes them new again.
    _register(session, inserts)
    driver.last = queries
    try:
        session.commit()
    finally:
        driver.last = ()


def _commit_and_tell(session: Session, queries: Sequence[Query]) -> None:
    """The same by way of the engine, where the driver cannot or the engine tells of each statement."""
    try:
        session.flush()
        direct.send_by_engine(session.connection(), queries)
    except Exception:
        # A second commit would keep the rest.
        session.rollback()
        raise
    session.commit()


def _needs_flush(session: Session) -> bool:
    return bool(
        session.deleted
        or session.dirty
        or session.in_nested_transaction()
        or any(getattr(session.dispatch, name) for name in _SESSION_EVENTS)
        or any(listener is not take_over for listener in session.dispatch.before_commit)
    )

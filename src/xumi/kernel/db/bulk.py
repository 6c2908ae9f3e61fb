"""Many rows at once, in the caller's transaction and without an entity for each.

    await insert_many(session, Poster, rows)
    await upsert(session, Poster, rows, key=[Poster.code])

A row is a mapping by attribute name or a schema. Columns that the rows leave out get the defaults of the model, such as the key
made by `generate_key` and the time columns. Entities that the session has loaded before keep their old values.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Insert, Table, insert, inspect, literal, literal_column
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from xumi.kernel.db.model import ModelBase

Row = Mapping[str, Any] | BaseModel

# Drivers take a batch as one statement with many sets of values: this bounds memory, and no limit on parameters is near.
BATCH_ROWS = 1000


async def insert_many(session: AsyncSession, model: type[ModelBase], rows: Iterable[Row]) -> int:
    """Insert rows; they may come from a generator, only a batch of them is held.

    Returns:
        How many rows were inserted.

    Raises:
        ValueError: a row names something that the model has not, or other attributes than the first row.
        IntegrityError: a row breaks a constraint; the transaction must be rolled back.
    """
    await session.flush()
    statement, count = insert(_table(model)), 0
    for batch in _batches(_by_column(model, rows)):
        await session.execute(statement, batch)
        count += len(batch)
    return count


async def upsert(
    session: AsyncSession,
    model: type[ModelBase],
    rows: Iterable[Row],
    *,
    key: Sequence[InstrumentedAttribute[Any]],
    update: Sequence[InstrumentedAttribute[Any]] | None = None,
) -> int:
    """Insert rows; where one with the same key exists, update that one.

    All rows are held and written in the order of their keys, so that two transactions with the same keys wait for each other
    instead of running into a deadlock.

    Args:
        session: the open transaction.
        model: the table.
        rows: what to write; no key twice.
        key: the columns of the unique constraint or primary key that tells whether a row exists. MySQL and MariaDB look at
            all unique constraints of the table instead.
        update: what to set on a row that exists; without it everything that the rows name, except `key` and the primary key.
            Columns with `onupdate`, such as `updated_at`, are set as well.

    Returns:
        How many rows were written, inserted or updated.

    Raises:
        ValueError: a key is None or comes twice, `rows` leave out what `key` or `update` names, or see `insert_many`.
        IntegrityError: a row breaks another constraint; the transaction must be rolled back.
    """
    await session.flush()
    keys = [_column(model, attribute.key) for attribute in key]
    found = _sorted(list(_by_column(model, rows)), keys)
    if not found:
        return 0
    named = found[0].keys()
    table = _table(model)
    if update is None:
        fixed = {*keys, *(column.key for column in table.primary_key)}
        changed = [name for name in named if name not in fixed]
    else:
        changed = [_column(model, attribute.key) for attribute in update]
        if missing := [name for name in changed if name not in named]:
            raise ValueError(f"update names {', '.join(missing)}, which the rows leave out.")
    statement = _upsert(session.get_bind().dialect.name, table, keys, changed, _touched(table, named))
    for batch in _batches(iter(found)):
        await session.execute(statement, batch)
    return len(found)


def _upsert(
    dialect: str, table: Table, keys: list[str], changed: list[str], touched: dict[str, Any]
) -> Insert:
    """The statement for one row; where nothing is to change the key is set to itself, so that the row counts as written."""
    # A process imports the dialect that it uses; all three take 50 ms.
    names = changed or ([] if touched else keys)
    # Dialects are imported by who uses them.
    if dialect in ("mysql", "mariadb"):
        from sqlalchemy.dialects import mysql

        statement = mysql.insert(table)
        values = {name: statement.inserted[name] for name in names}
        written = {name: _as_text(value, table.c[name].type) for name, value in touched.items()}
        return statement.on_duplicate_key_update(values | written)
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as build
    else:
        from sqlalchemy.dialects.sqlite import insert as build  # type: ignore[assignment]
    conflict = build(table)
    values = {name: conflict.excluded[name] for name in names}
    updating: Insert = conflict.on_conflict_do_update(
        index_elements=[table.c[name] for name in keys], set_=values | touched
    )
    return updating


def _as_text(value: object, type_: TypeEngine[Any]) -> ColumnElement[Any]:
    """A value inside the text of the statement: MySQL's driver takes parameters behind the values of a row for more of them."""
    from sqlalchemy.dialects import mysql

    compiled = literal(value, type_).compile(
        dialect=mysql.dialect(paramstyle="named"), compile_kwargs={"literal_binds": True}
    )
    return literal_column(str(compiled))


def _touched(table: Table, named: Iterable[str]) -> dict[str, Any]:
    """What `onupdate` gives now: SQLAlchemy leaves it out of such statements."""
    touched = {}
    for column in table.columns:
        if column.onupdate is not None and column.key not in named:
            made: Any = column.onupdate
            touched[column.key] = made.arg(None) if made.is_callable else made.arg
    return touched


def _table(model: type[ModelBase]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


def _column(model: type[ModelBase], name: str) -> str:
    attribute = inspect(model).column_attrs.get(name)
    if attribute is None:
        raise ValueError(f"{model.__name__} has no column {name!r}.")
    key: str = attribute.columns[0].key
    return key


def _by_column(model: type[ModelBase], rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """The rows by the names of their columns, all with the columns of the first."""
    first: dict[str, str] | None = None
    for number, row in enumerate(rows, 1):
        values = row.model_dump() if isinstance(row, BaseModel) else row
        if first is None:
            first = {name: _column(model, name) for name in values}
        if values.keys() != first.keys():
            differing = ", ".join(sorted(values.keys() ^ first.keys()))
            raise ValueError(f"row {number} and row 1 differ in {differing}: all must name the same columns.")
        yield {first[name]: value for name, value in values.items()}


def _sorted(rows: list[dict[str, Any]], keys: list[str]) -> list[dict[str, Any]]:
    if rows and (missing := [name for name in keys if name not in rows[0]]):
        raise ValueError(f"the rows leave out {', '.join(missing)} of the key.")

    def place(row: dict[str, Any]) -> tuple[Any, ...]:
        found = (row[name] for name in keys)
        return tuple(value.value if isinstance(value, enum.Enum) else value for value in found)

    places: set[tuple[Any, ...]] = set()
    for row in rows:
        at = place(row)
        if None in at:
            raise ValueError(f"the key {at} has a None: nothing tells whether that row exists.")
        if at in places:
            raise ValueError(f"the key {at} comes twice: say which of its rows is meant.")
        places.add(at)
    return sorted(rows, key=place)


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, BATCH_ROWS)):
        yield batch

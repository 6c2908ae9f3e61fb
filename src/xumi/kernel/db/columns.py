"""What the columns of a compiled statement are: their names for a schema, their types, and what is certain about both."""

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Column, Dialect, Executable, FromClause, Join, Label, Select, Table, inspect
from sqlalchemy.orm import Mapper
from sqlalchemy.sql.compiler import ResultColumnsEntry, SQLCompiler
from sqlalchemy.sql.functions import count
from sqlalchemy.sql.selectable import Alias
from sqlalchemy.types import Enum, Float, Numeric, TypeEngine

# Type numbers that PostgreSQL reports; asyncpg's rows do not carry them and the dialect wants to know.
_POSTGRES_FLOAT8, _POSTGRES_NUMERIC = 701, 1700


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One column of a result.

    Attributes:
        name: the mapped attribute, the label, or the column's name.
        python_type: the type of its values, if that is certain.
        nullable: whether a value may be None.
        json: whether its values are what JSON can hold.
        process: turns the driver's value into the column type's; None where the driver's value is it.
    """

    name: str
    python_type: type | None
    nullable: bool
    json: bool
    process: Callable[[Any], Any] | None


def result_columns(statement: Executable, compiled: SQLCompiler, dialect: Dialect) -> list[ResultColumn]:
    """The columns in the order of the row."""
    entries = compiled._result_columns
    absent = tables_that_may_be_absent(statement)
    columns = []
    for name, entry in zip(_names(statement, entries), entries, strict=True):
        python_type, nullable = _certainty(entry, absent)
        columns.append(
            ResultColumn(
                name, python_type, nullable, isinstance(entry.type, JSON), _processor(entry.type, dialect)
            )
        )
    return columns


def _names(statement: Executable, entries: Sequence[ResultColumnsEntry]) -> list[str]:
    """An entity's columns go by their attributes, everything else by its label or name."""
    if not isinstance(statement, Select):
        return [entry.keyname for entry in entries]
    names: list[str] = []
    for description in statement.column_descriptions:
        mapper = _mapper(description["expr"])
        if mapper is None:
            names.append(str(description["name"]))
            continue
        seen: set[str] = set()
        while len(names) < len(entries):
            key = _attribute(mapper, entries[len(names)])
            if key is None or key in seen:
                break
            seen.add(key)
            names.append(key)
    if len(names) != len(entries):
        return [entry.keyname for entry in entries]
    return names


def _mapper(entity: Any) -> Mapper[Any] | None:
    inspected = inspect(entity, raiseerr=False)
    is_entity = getattr(inspected, "is_mapper", False) or getattr(inspected, "is_aliased_class", False)
    return inspected.mapper if is_entity else None


def selected(statement: Select[*tuple[Any, ...]]) -> dict[str, Any] | None:
    """What a statement selects by the names that a schema knows; None where two things have one name."""
    expressions: dict[str, Any] = {}
    for description in statement.column_descriptions:
        entity = description["expr"]
        mapper = _mapper(entity)
        if mapper is None:
            named = {str(description["name"]): entity}
        else:
            named = {p.key: getattr(entity, p.key) for p in mapper.column_attrs if not p.deferred}
        if not expressions.keys().isdisjoint(named):
            return None
        expressions |= named
    return expressions


def _attribute(mapper: Mapper[Any], entry: ResultColumnsEntry) -> str | None:
    for item in entry.objects:
        if not isinstance(item, Column):
            continue
        original = next((column for column in mapper.columns if item.shares_lineage(column)), None)
        if original is not None:
            return mapper.get_property_by_column(original).key
    return None


def tables_that_may_be_absent(statement: Executable) -> set[FromClause]:
    """Tables on the optional side of an outer join: all their columns may be NULL."""
    absent: set[FromClause] = set()

    def visit(clause: FromClause, optional: bool) -> None:
        if isinstance(clause, Join):
            visit(clause.left, optional or clause.full)
            visit(clause.right, optional or clause.isouter or clause.full)
        elif optional:
            absent.add(clause)

    if isinstance(statement, Select):
        for clause in statement.get_final_froms():
            visit(clause, False)
    return absent


def _table_columns(entry: ResultColumnsEntry) -> Iterator[Column[Any]]:
    for item in entry.objects:
        element = item.element if isinstance(item, Label) else item
        if isinstance(element, Column):
            table = element.table
            if isinstance(table.element if isinstance(table, Alias) else table, Table):
                yield element


def _certainty(entry: ResultColumnsEntry, absent: set[FromClause]) -> tuple[type | None, bool]:
    """The Python type of the values and whether they may be None.

    Only a table's own column is certain: what an expression returns is the database's choice (a sum of integers is a
    decimal on PostgreSQL).
    """
    for item in entry.objects:
        element = item.element if isinstance(item, Label) else item
        if isinstance(element, count):
            return int, False
    for column in _table_columns(entry):
        return _python_type(column.type), bool(column.nullable) or column.table in absent
    return None, True


def _python_type(type_: TypeEngine[Any]) -> type | None:
    try:
        python_type = type_.python_type
    except NotImplementedError:
        return None
    if issubclass(python_type, enum.Enum):
        return python_type if all(type(member.value) in (str, int) for member in python_type) else None
    # JSON columns declare a dictionary and hold anything.
    return None if python_type in (dict, list) else python_type


class _Members(dict[Any, Any]):
    """Members of an enumeration by what the database holds."""

    def __missing__(self, value: Any) -> Any:
        raise LookupError(f"The database holds {value!r}, which is none of: {', '.join(map(str, self))}.")


def _processor(type_: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    if type(type_) is Enum and not type_.native_enum:
        # What SQLAlchemy's own does in Python, at the price of a look into a dictionary.
        return _Members({None: None, **type_._object_lookup}).__getitem__
    code = None
    if dialect.driver == "asyncpg":
        implementation = type_.dialect_impl(dialect)
        implementation = getattr(implementation, "impl_instance", implementation)
        if isinstance(implementation, Float):
            code = _POSTGRES_FLOAT8
        elif isinstance(implementation, Numeric):
            code = _POSTGRES_NUMERIC
    return type_._cached_result_processor(dialect, code)

"""All rows of a database: to compare what a request has written, and to bring the database back to what it was."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, Table, inspect, select, text

from xumi.kernel.db.model import ModelBase

Rows = Mapping[str, dict[tuple[Any, ...], dict[str, Any]]]
"""By table and key."""


def find_tables(engine: Engine) -> list[Table]:
    """The tables of the application that are in the database; other tests may have declared more."""
    present = set(inspect(engine).get_table_names())
    return [table for table in ModelBase.metadata.tables.values() if table.name in present]


def read_rows(engine: Engine, tables: list[Table]) -> Rows:
    """Every row."""
    with engine.connect() as connection:
        return {table.name: _read(connection, table) for table in tables}


def bring_back(engine: Engine, tables: list[Table], rows: Rows) -> None:
    """Make the tables hold these rows and no others."""
    with engine.begin() as connection:
        changed = [table for table in tables if _read(connection, table) != rows[table.name]]
        if not changed:
            return
        # Tables may refer to each other in circles.
        if connection.dialect.name == "sqlite":
            connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for table in changed:
            connection.execute(table.delete())
        for table in tables:
            # Deleting may have taken rows of other tables along.
            present = _read(connection, table)
            if missing := [row for key, row in rows[table.name].items() if key not in present]:
                connection.execute(table.insert(), missing)


def find_changes(before: Rows, after: Rows) -> dict[str, set[str]]:
    """The columns that differ, by table; `*` where a row has come or gone."""
    changes: dict[str, set[str]] = {}
    for name, old in before.items():
        new = after[name]
        columns = {
            column
            for key in old.keys() & new.keys()
            for column, value in old[key].items()
            if new[key][column] != value
        }
        if columns or old.keys() != new.keys():
            changes[name] = columns | ({"*"} if old.keys() != new.keys() else set())
    return changes


def _read(connection: Connection, table: Table) -> dict[tuple[Any, ...], dict[str, Any]]:
    keys = [column.name for column in table.primary_key]
    found = connection.execute(select(table)).mappings()
    return {tuple(row[key] for key in keys): dict(row) for row in found}

"""All rows of a database: to compare what a request has written, and to bring the database back to what it was."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Connection, Table, inspect, select

from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.model import ModelBase

Rows = Mapping[str, dict[tuple[Any, ...], dict[str, Any]]]
"""By table and key."""

# A value that is another one after each transaction that has written; of SQLite, as seen from one and the same connection.
_MARKS = {
    "sqlite": "PRAGMA data_version",
    "postgresql": "SELECT pg_snapshot_xmax(pg_current_snapshot())::text",
}
# Tables may refer to each other in circles, and what refers to a row that is put back shall stay.
_WITHOUT_FOREIGN_KEYS = {
    "sqlite": "PRAGMA foreign_keys=OFF",
    "postgresql": "SET LOCAL session_replication_role = replica",
}


class Database:
    """The rows of a database, read anew only where somebody has written.

    Args:
        url: of SQLite or PostgreSQL.
    """

    def __init__(self, url: URL) -> None:
        self._engine = sync_engine(url)
        # A connection for marks only: its own writing would not change them.
        self._marking = self._engine.connect()
        self._kind = self._engine.dialect.name
        present = set(inspect(self._engine).get_table_names())
        # The samples of tests have metadata of their own; other tests may have declared more tables.
        models = (mapper.local_table for mapper in ModelBase.registry.mappers)
        self._tables = [table for table in models if isinstance(table, Table) and table.name in present]
        self._mark: object = None
        self._rows: Rows = {}

    def read(self) -> Rows:
        """Every row as it is now."""
        mark = self._find_mark()
        if mark != self._mark:
            with self._engine.connect() as connection:
                self._rows = {table.name: _read(connection, table) for table in self._tables}
            self._mark = mark
        return self._rows

    def bring_back(self, rows: Rows) -> None:
        """Make the tables hold these rows and no others."""
        present = self.read()
        changed = [table for table in self._tables if present[table.name] != rows[table.name]]
        if not changed:
            return
        with self._engine.begin() as connection:
            connection.exec_driver_sql(_WITHOUT_FOREIGN_KEYS[self._kind])
            for table in changed:
                connection.execute(table.delete())
                if before := list(rows[table.name].values()):
                    connection.execute(table.insert(), before)
        self._rows, self._mark = rows, self._find_mark()

    def close(self) -> None:
        """Give the connection back."""
        self._marking.close()

    def _find_mark(self) -> object:
        found = self._marking.exec_driver_sql(_MARKS[self._kind]).scalar_one()
        self._marking.rollback()
        return found


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
    names = [column.name for column in table.columns]
    keys = [names.index(column.name) for column in table.primary_key]
    found = connection.execute(select(table)).all()
    return {tuple(row[key] for key in keys): dict(zip(names, row, strict=True)) for row in found}

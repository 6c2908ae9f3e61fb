"""Who owns a table, and the SQL files beside revisions.

Beside revision `0002_stock.py` with the id `0002`, the files `0002_upgrade.sql` and
`0002_downgrade.sql` are run as well: after its `upgrade()`, and before its `downgrade()`.
"""

import functools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from sqlalchemy import Table
from sqlalchemy.util import await_

from xumi.kernel.db.model import ModelBase
from xumi.kernel.db.revisions import OwnerName


def owner_of_table(table: Table) -> OwnerName:
    """Who defines a table: the library, if its model is in the package `xumi`, or the table's `info` says so."""
    if table.info.get("owner") == "library":
        return "library"
    for mapper in ModelBase.registry.mappers:
        if table in mapper.tables:
            return "library" if mapper.class_.__module__.partition(".")[0] == "xumi" else "project"
    return "project"


def with_sql_files(step: RevisionStep, context: MigrationContext) -> RevisionStep:
    """The step, which also runs the SQL files beside its revision."""
    word = "upgrade" if step.is_upgrade else "downgrade"
    file = Path(step.revision.path).parent / f"{step.revision.revision}_{word}.sql"
    if file.is_file():
        step.migration_fn = _joined(step.migration_fn, file, context, sql_last=step.is_upgrade)
    return step


def _joined(
    function: Callable[[], None], file: Path, context: MigrationContext, *, sql_last: bool
) -> Callable[[], None]:
    @functools.wraps(function)
    def run() -> None:
        if sql_last:
            function()
        run_script(context, file.read_text(encoding="utf-8"))
        if not sql_last:
            function()

    return run


def run_script(context: MigrationContext, script: str) -> None:
    """Run a file of SQL statements inside the migration's transaction, or print it where SQL is only planned."""
    if context.as_sql:
        context.impl.static_output(script)
        return
    connection = context.connection
    assert connection is not None
    if context.dialect.name == "postgresql":
        # PostgreSQL itself knows best where its statements end (functions, dollar quotes). SQLAlchemy begins the transaction
        # with its first statement, which must come before the driver's own.
        connection.exec_driver_sql("SELECT 1")
        driver: Any = connection.connection.driver_connection
        await_(driver.execute(script))
        return
    operations = Operations(context)
    for statement in split_statements(script):
        operations.get_bind().exec_driver_sql(statement)


def split_statements(script: str) -> list[str]:
    """The statements of a script, by SQLite's own idea of where one ends (quotes, comments, triggers)."""
    statements, begun = [], ""
    for part in script.split(";"):
        begun += part + ";"
        if sqlite3.complete_statement(begun):
            statements.append(begun.strip())
            begun = ""
    rest = begun.removesuffix(";").strip()
    statements += [rest] if rest else []
    return [statement for statement in statements if statement.strip(" ;\n\t")]

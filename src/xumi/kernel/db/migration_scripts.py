"""Where revisions are kept, who owns them, and the SQL files beside them.

The library's revisions are in `xumi/migrations/versions`, a project's in `./migrations/versions`. Each owner has one head and
a version table of its own. Beside revision `0002_stock.py` with the id `0002`, the files `0002_upgrade.sql` and
`0002_downgrade.sql` are run as well: after its `upgrade()`, and before its `downgrade()`.
"""

import functools
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Table
from sqlalchemy.util import await_

import xumi.migrations
from xumi.kernel.db.model import ModelBase
from xumi.kernel.db.runner import Query
from xumi.kernel.errors import StartError

OwnerName = Literal["library", "project"]

ENVIRONMENT = Path(xumi.migrations.__file__).parent


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose revisions.

    Attributes:
        name: `library` or `project`.
        versions: the folder of the revision files.
        version_table: where the database notes the present revision.
        version_query: reads it.
    """

    name: OwnerName
    versions: Path
    version_table: str
    version_query: Query

    @property
    def scripts(self) -> ScriptDirectory:
        """The revisions as they are on disk now."""
        return ScriptDirectory(str(ENVIRONMENT), version_locations=[str(self.versions)])

    def head(self) -> str | None:
        """The newest revision; None if there is none.

        Raises:
            StartError: there is more than one.
        """
        heads = self.scripts.get_heads()
        if len(heads) > 1:
            raise StartError(
                f"{self.versions} has {len(heads)} newest revisions ({', '.join(heads)}): let one follow the other by its "
                "down_revision."
            )
        return heads[0] if heads else None


def library() -> Owner:
    """Xumi's own tables."""
    return Owner(
        "library", ENVIRONMENT / "versions", "xumi_version", Query("SELECT version_num FROM xumi_version", ())
    )


def project(directory: Path | None = None) -> Owner:
    """The tables of the project in `directory`, by default the working directory."""
    versions = (directory or Path.cwd()) / "migrations" / "versions"
    return Owner("project", versions, "project_version", Query("SELECT version_num FROM project_version", ()))


def owners(directory: Path | None = None) -> list[Owner]:
    """All that have revisions, in the order in which they are applied."""
    return [owner for owner in (library(), project(directory)) if owner.versions.is_dir()]


@functools.cache
def known_head(owner: Owner) -> str | None:
    """The newest revision as of the first call in this process."""
    return owner.head()


def owner_of_table(table: Table) -> OwnerName:
    """Who defines a table: the library, if its model is in the package `xumi`."""
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

"""Migrations: bring a database to the newest revision or back, plan it, and tell how models and database differ.

Everything here may be awaited inside a running event loop: the work is done in a thread with a loop of its own. Two processes
that migrate one database at once wait for each other.

The models of all features must have been imported before `drift` and `revision` (`kernel.modules.discover` does).
"""

import asyncio
import io
import threading
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from alembic.autogenerate import compare_metadata
from alembic.command import revision as write_revision
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, Table, event, inspect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from xumi.kernel import clock
from xumi.kernel.db import sqlite
from xumi.kernel.db.location import CONNECT_TIMEOUT_SECONDS, parse_url, prepare_file, require_driver
from xumi.kernel.db.migration_lint import Finding, lint
from xumi.kernel.db.migration_scripts import owner_of_table, with_sql_files
from xumi.kernel.db.model import ModelBase, UtcDateTime
from xumi.kernel.db.revisions import ENVIRONMENT, Owner, OwnerName, library, owners, project
from xumi.kernel.errors import StartError

T = TypeVar("T")

LOCK_TIMEOUT_SECONDS = 5
# How long a process waits for another one that is migrating the same database.
TURN_TIMEOUT_SECONDS = 600
# Any number that no other program uses for an advisory lock.
_ADVISORY_LOCK = 0x78756D69

# Alembic keeps the running migration in module globals.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Status:
    """Where a database stands with one owner's revisions.

    Attributes:
        owner: `library` or `project`.
        current: the revision that the database has; None for none.
        head: the newest revision there is.
        pending: what `upgrade` would apply, as `(revision, title)`.
        adoptable: the owner's tables exist although no revision is noted: `stamp` says which they correspond to.
    """

    owner: OwnerName
    current: str | None
    head: str | None
    pending: tuple[tuple[str, str], ...]
    adoptable: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The SQL that `upgrade` would run, and what is dangerous in it."""

    sql: str
    findings: tuple[Finding, ...]


async def upgrade(url: str, revision: str = "head", *, directory: Path | None = None) -> None:
    """Bring a database to a revision: `head` of library and project, or one revision of either.

    Args:
        url: the database.
        revision: `head`, or the id of a revision.
        directory: the project; the working directory by default.

    Raises:
        StartError: there is no such revision, or an owner has two heads.
    """
    targets = [(owner, "head") for owner in owners(directory)]
    if revision != "head":
        targets = [(_owner_of(revision, directory), revision)]

    def work(connection: Connection) -> None:
        for owner, target in targets:
            owner.head()
            _run(connection, owner, partial(_upgrade_steps, owner, target))

    await _migrate(url, work)


async def downgrade(
    url: str, revision: str, *, owner: OwnerName | None = None, directory: Path | None = None
) -> None:
    """Take a database back to a revision, to `base`, or by steps (`-1`).

    Args:
        url: the database.
        revision: what remains applied.
        owner: whose revisions; by default the owner of `revision`, and the project, if it has any, for `base` and steps.
        directory: the project; the working directory by default.

    Raises:
        StartError: there is no such revision.
    """
    home = _named(owner, directory) if owner is not None else _owner_of(revision, directory)
    await _migrate(url, lambda c: _run(c, home, lambda heads: home.scripts._downgrade_revs(revision, heads)))


async def stamp(url: str, owner: OwnerName, revision: str = "head", *, directory: Path | None = None) -> None:
    """Note a revision without running anything: to adopt a schema that exists already."""
    home = _named(owner, directory)
    await _migrate(url, lambda c: _run(c, home, lambda heads: home.scripts._stamp_revs(revision, heads)))


async def status(url: str, *, directory: Path | None = None) -> list[Status]:
    """Where the database stands, for the library and, if it has revisions, the project."""
    return await _connected(
        url, lambda connection: [_status(connection, owner) for owner in owners(directory)]
    )


async def plan(url: str, *, directory: Path | None = None) -> Plan:
    """What `upgrade` to head would run.

    Raises:
        StartError: a revision must see the data or the tables to know what it does, so that its SQL cannot be told before.
    """

    def work(connection: Connection) -> str:
        parts = (
            [f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s';\n\n"]
            if connection.dialect.name == "postgresql"
            else []
        )
        printed = [_print_upgrade(connection, owner) for owner in owners(directory)]
        return "".join([*parts, *printed]) if any(printed) else ""

    sql = await _connected(url, work)
    return Plan(sql, tuple(lint(sql, parse_url(url)[0])))


async def drift(url: str) -> list[str]:
    """How the database differs from the models that have been imported; empty if it does not."""

    def work(connection: Connection) -> list[str]:
        context = MigrationContext.configure(connection, opts=_compare_options(connection, None))
        return [describe(change) for change in compare_metadata(context, ModelBase.metadata)]

    return await _connected(url, work)


async def revision(
    url: str, message: str, *, autogenerate: bool = True, directory: Path | None = None
) -> Path:
    """Write a new revision of the project and return its file.

    Args:
        url: a database at head, which the models are compared with.
        message: the title.
        autogenerate: fill it with the differences; read them before you commit.
        directory: the project; the working directory by default.

    Raises:
        StartError: the database is not at head.
    """
    home = project(directory)
    home.versions.mkdir(parents=True, exist_ok=True)
    return await write(url, message, home, autogenerate=autogenerate)


async def write(url: str, message: str, owner: Owner, *, autogenerate: bool) -> Path:
    """Write a new revision of an owner."""

    def work(connection: Connection) -> Path:
        options = {"connection": connection, **_compare_options(connection, owner)}
        config = Config(attributes={"options": options}, cmd_opts=Namespace(quiet=True))
        config.set_main_option("script_location", str(ENVIRONMENT).replace("%", "%%"))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", str(owner.versions).replace("%", "%%"))
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        script = write_revision(config, message, autogenerate=autogenerate, rev_id=_new_id(owner))
        assert script is not None
        assert not isinstance(script, list)
        return Path(script.path)

    return await _connected(url, work)


def _new_id(owner: Owner) -> str:
    """The library counts; in a project several people write revisions at once, so that the time tells them apart."""
    if owner.name == "library":
        return f"{len(list(owner.scripts.walk_revisions())) + 1:04d}"
    return f"{clock.now():%Y%m%d%H%M%S}"


def _named(name: OwnerName, directory: Path | None) -> Owner:
    return library() if name == "library" else project(directory)


def _owner_of(revision: str, directory: Path | None) -> Owner:
    """Whose revision it is; `base` and steps are the project's if it has revisions."""
    present = owners(directory)
    if revision == "base" or (revision.lstrip("+-").isdigit() and revision[0] in "+-"):
        return present[-1]
    for owner in reversed(present):
        try:
            if owner.scripts.get_revision(revision) is not None:
                return owner
        except CommandError:
            continue
    raise StartError(f"There is no revision {revision!r}: `xumi db status` lists them.")


def _upgrade_steps(owner: Owner, target: str, heads: Any) -> list[Any]:
    return owner.scripts._upgrade_revs(target, heads)


def _run(connection: Connection, owner: Owner, steps: Callable[[Any], Sequence[Any]]) -> None:
    """Apply the steps that an owner's revisions give for the present state."""

    def apply(heads: Any, context: MigrationContext) -> list[Any]:
        return [with_sql_files(step, context) if hasattr(step, "revision") else step for step in steps(heads)]

    _environment(owner, {"connection": connection, "transaction_per_migration": True}, apply)


def _print_upgrade(connection: Connection, owner: Owner) -> str:
    output = io.StringIO()
    current = MigrationContext.configure(
        connection, opts={"version_table": owner.version_table}
    ).get_current_revision()
    if current == owner.head():
        return ""

    def apply(heads: Any, context: MigrationContext) -> list[Any]:
        return [with_sql_files(step, context) for step in owner.scripts._upgrade_revs("head", heads)]

    options = {"dialect_name": connection.dialect.name, "literal_binds": True, "output_buffer": output}
    try:
        _environment(
            owner, options, apply, as_sql=True, starting_rev=current or "base", destination_rev="head"
        )
    except (CommandError, NotImplementedError, AttributeError) as error:
        raise StartError(
            f"The SQL of {owner.name}'s revisions cannot be told without running them, because one reads the database "
            f"(on SQLite every change of a column does): {error}"
        ) from error
    return output.getvalue()


def _environment(owner: Owner, options: dict[str, Any], function: Callable[..., Any], **how: Any) -> None:
    """Run Alembic's environment file with these options."""
    config = Config(attributes={"options": {"version_table": owner.version_table, **options}})
    scripts = owner.scripts
    try:
        with EnvironmentContext(config, scripts, fn=function, **how):
            scripts.run_env()
    except CommandError as error:
        if how.get("as_sql"):
            raise
        raise StartError(f"Revisions in {owner.versions}: {error}") from error


def _status(connection: Connection, owner: Owner) -> Status:
    context = MigrationContext.configure(connection, opts={"version_table": owner.version_table})
    current, scripts = context.get_current_revision(), owner.scripts
    try:
        pending = [
            script
            for script in scripts.iterate_revisions("head", current or "base")
            if script.revision != current
        ]
    except (CommandError, RevisionError) as error:
        raise StartError(
            f"The database notes revision {current!r}, which is not in {owner.versions}: deploy the version that brought "
            f"it, or downgrade with that version. ({error})"
        ) from error
    ours = {table.name for table in ModelBase.metadata.tables.values() if owner_of_table(table) == owner.name}
    adoptable = current is None and not ours.isdisjoint(inspect(connection).get_table_names())
    steps = tuple((script.revision, script.doc) for script in reversed(pending))
    return Status(owner.name, current, owner.head(), steps, adoptable)


def _compare_options(connection: Connection, owner: Owner | None) -> dict[str, Any]:
    """How models and database are compared; with an owner, only his tables are.

    A table in the database that no model knows counts as a difference, unless it belongs to the other owner or notes revisions.
    SQLite's virtual tables and those that they keep their data in are not compared: a model cannot say what they are. Nor is an
    index that `ddl_if` keeps away from this kind of database.
    """
    passed_over = {"xumi_version", "project_version", *sqlite.virtual_tables(connection)}

    def include(item: Any, name: str | None, kind: str, reflected: bool, _other: Any) -> bool:
        if kind == "index" and item._ddl_if is not None:
            return bool(item._ddl_if.dialect == connection.dialect.name)
        if kind != "table" or not isinstance(item, Table):
            return True
        if name in passed_over:
            return False
        known = ModelBase.metadata.tables.get(str(item.key))
        if owner is None:
            return True
        return (
            owner_of_table(known) == owner.name
            if known is not None
            else owner.name == "project" and not reflected
        )

    def render(kind: str, item: Any, context: Any) -> str | bool:
        if kind == "type" and isinstance(item, UtcDateTime):
            context.imports.add("from xumi.kernel.db.model import UtcDateTime")
            return "UtcDateTime()"
        return False

    options: dict[str, Any] = {"compare_type": True, "include_object": include, "render_item": render}
    options |= {"target_metadata": ModelBase.metadata, "render_as_batch": True, "user_module_prefix": None}
    if owner is not None:
        options["version_table"] = owner.version_table
    return options


def describe(change: Any) -> str:
    """One difference in words: what the models have that the database lacks, and the other way round."""
    if isinstance(change, list):
        return "; ".join(describe(part) for part in change)
    operation, *details = change
    if operation.startswith("modify_"):
        _schema, table, column, _existing, old, new = details
        return f"{table}.{column}: {operation.removeprefix('modify_')} is {old!r} in the database, {new!r} in the model"
    item = details[-1]
    side = "missing in the database" if operation.startswith("add_") else "not in the models"
    table = getattr(getattr(item, "table", None), "name", None) or (
        details[1] if operation.endswith("_column") else None
    )
    name = getattr(item, "name", None) or repr(item)
    return f"{operation.partition('_')[2]} {f'{table}.' if table else ''}{name}: {side}"


async def _migrate(url: str, work: Callable[[Connection], None]) -> None:
    """Run `work` while no other process migrates this database."""

    def locked(connection: Connection) -> None:
        _begin_turn(connection)
        work(connection)
        _end_turn(connection)

    await _connected(url, locked, writes=True)


def _begin_turn(connection: Connection) -> None:
    """Wait for other processes that migrate this database, and set what a migration needs."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_lock($1)", (_ADVISORY_LOCK,))
        connection.exec_driver_sql(
            "SELECT set_config('lock_timeout', $1, false)", (f"{LOCK_TIMEOUT_SECONDS}s",)
        )
    elif connection.dialect.name in ("mysql", "mariadb"):
        _refuse_narrow_texts(connection)
        connection.exec_driver_sql("SELECT GET_LOCK('xumi', %s)", (TURN_TIMEOUT_SECONDS,))
        connection.exec_driver_sql("SET SESSION lock_wait_timeout = %s", (LOCK_TIMEOUT_SECONDS,))
    if connection.dialect.name == "sqlite":
        # One transaction for all revisions, which is the lock as well: it begins with BEGIN IMMEDIATE.
        connection.begin()
    else:
        # The locks above belong to the connection; each revision has a transaction of its own.
        connection.commit()


def _refuse_narrow_texts(connection: Connection) -> None:
    """A MySQL database may have been made for a few alphabets only; tables would inherit that."""
    encoding = connection.exec_driver_sql("SELECT @@character_set_database").scalar_one()
    if encoding != "utf8mb4":
        raise StartError(
            f"The MySQL database has the character set {encoding}, which cannot hold every text: make it with "
            "CREATE DATABASE … CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin (utf8mb4_0900_bin on MySQL 8)."
        )


def _end_turn(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise StartError(
                f"The migration leaves {len(broken)} rows that refer to nothing, first in {broken[0][0]}."
            )
    connection.commit()


async def _connected(url: str, work: Callable[[Connection], T], *, writes: bool = False) -> T:
    """Run `work` with a connection of its own, in a thread with an event loop of its own."""

    def run() -> T:
        with _one_at_a_time:
            return asyncio.run(_connect(url, work, writes=writes))

    return await asyncio.to_thread(run)


async def _connect(url: str, work: Callable[[Connection], T], *, writes: bool) -> T:
    dialect, parsed = parse_url(url)
    require_driver(dialect)
    options: dict[str, Any] = {"poolclass": NullPool}
    if dialect == "postgresql":
        from xumi.kernel.db import postgresql

        options["async_creator"] = postgresql.Connector(parsed, CONNECT_TIMEOUT_SECONDS)
    elif dialect == "mysql":
        from xumi.kernel.db import mysql

        options["async_creator"] = mysql.Connector(parsed, CONNECT_TIMEOUT_SECONDS)
    else:
        prepare_file(parsed)
        options["connect_args"] = {**sqlite.CONNECT_ARGUMENTS, "timeout": TURN_TIMEOUT_SECONDS}
    engine = create_async_engine(parsed, **options)
    if dialect == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        if writes:
            event.listen(engine.sync_engine, "begin", _take_sqlite_lock)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Changing a table on SQLite means copying it, during which references to it must not be enforced."""
    cursor = connection.cursor()
    for pragma in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=OFF"):
        cursor.execute(pragma)
    cursor.close()


def _take_sqlite_lock(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")

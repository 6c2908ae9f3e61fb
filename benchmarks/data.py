"""The databases that all variants read: Xumi's own tables, made by its migrations, with the same 10,000 users in each."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Date, column, create_engine, insert, table, text

from benchmarks.servers import HERE, BenchmarkError, xumi_command
from xumi.kernel.testing.postgres import PostgresServer
from xumi.modules.account.models import User, UserRole

USERS = 10_000
DATABASES = ("sqlite", "postgresql")
# As the project's migration makes it; its package is the project's, not ours.
MEMBER = table(
    "staff_member",
    *(column(name) for name in ("id", "user_id", "name", "department", "phone", "address", "about")),
    column("joined_on", Date()),
)
_RELOAD_SECONDS = 0.3
_NOT_COUNTED = ("account_access_change", "ALTER SYSTEM", "pg_reload_conf", "LISTEN")
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Database:
    """`log`: where the server writes what it executes, when it is told to; None for SQLite, which has no server."""

    name: str
    url: str
    version: str
    log: Path | None


@contextmanager
def prepare(name: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Database]:
    """A migrated and filled database in `folder`, which lives as long as the block; the project's code is put there too."""
    shutil.copytree(
        HERE / "project", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    with _open(name, folder) as (url, log):
        _xumi({**environment, "DATABASE_URL": url}, folder, "init-db")
        with create_engine(url.replace("postgresql:", "postgresql+psycopg:")).connect() as connection:
            _fill(connection)
            yield Database(name, url, _version(connection), log)


@contextmanager
def _open(name: str, folder: Path) -> Iterator[tuple[str, Path | None]]:
    """The URL of an empty database, and its server's log."""
    if name == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}", None
        return
    server = PostgresServer()
    try:  # instead of `with`, which would leave a server behind that Ctrl-C meets while it starts
        server.start()
        yield server.create_database("bench"), server.log
    finally:
        server.stop()


def _xumi(environment: Mapping[str, str], folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        xumi_command(*arguments),
        cwd=folder,
        env=dict(environment),
        text=True,
        timeout=60,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise BenchmarkError(
            f"xumi {' '.join(arguments)} ended with status {done.returncode}:\n{done.stdout[-2000:]}"
        )


def _fill(connection: Connection) -> None:
    users = [_user(number) for number in range(1, USERS + 1)]
    connection.execute(insert(User), users)
    connection.execute(insert(UserRole), [{"id": u["id"], "user_id": u["id"], "role": "user"} for u in users])
    connection.execute(insert(MEMBER), [_member(user) for user in users])
    connection.commit()
    # Without it PostgreSQL has no statistics and counts by reading the table instead of an index.
    with connection.execution_options(isolation_level="AUTOCOMMIT"):
        connection.execute(text("VACUUM ANALYZE" if connection.dialect.name == "postgresql" else "ANALYZE"))


def _user(number: int) -> dict[str, Any]:
    """Every field is a function of the number, so that both databases hold the same rows on every machine."""
    time = _FIRST_DAY + timedelta(minutes=number)
    name = f"user{number:05d}"
    email = f"{name}@example.com"
    return {
        "id": f"{number:026d}",
        "username": name,
        "username_key": name,
        "email": email,
        "email_key": email,
        "password_hash": "!",  # matches no password
        "enabled": number % 10 != 0,
        "epoch": 0,
        "created_at": time,
        "updated_at": time,
    }


def _member(user: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a row of the staff some 650 bytes of JSON."""
    number = int(user["id"])
    return {
        "id": user["id"],
        "user_id": user["id"],
        "name": f"Member {number}",
        "department": f"Department {number % 40}",
        "phone": f"+86 138 0000 {number:04d}",
        "address": f"{number} Sumeru Road, Floor {number % 30}, 200000 Shanghai",
        "about": f"Joined as number {number}. " + "Knows the trade well. " * 12,
        "joined_on": _FIRST_DAY.date() + timedelta(days=number % 365),
    }


def _version(connection: Connection) -> str:
    return ".".join(str(part) for part in connection.dialect.server_version_info or ())


def count_statements(database: Database, work: Callable[[], None]) -> int:
    """How many statements PostgreSQL runs for Xumi meanwhile, apart from its watch for ended access.

    Raises:
        BenchmarkError: the database is not PostgreSQL.
    """
    if database.log is None:
        raise BenchmarkError("statements are counted on PostgreSQL only")
    before = database.log.stat().st_size
    engine = create_engine(
        database.url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for value, then in (("all", work), ("none", lambda: None)):
            connection.execute(text(f"ALTER SYSTEM SET log_statement = '{value}'"))
            connection.execute(text("SELECT pg_reload_conf()"))
            time.sleep(_RELOAD_SECONDS)
            then()
    engine.dispose()
    with database.log.open(encoding="utf-8", errors="replace") as log:
        log.seek(before)
        lines = log.read().splitlines()
    started = (line for line in lines if "LOG:  execute " in line or "LOG:  statement: " in line)
    return sum(not any(word in line for word in _NOT_COUNTED) for line in started)

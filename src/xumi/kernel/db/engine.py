"""The database that a process talks to: one engine for sessions (writes) and one reader for everything else.

With a replica there is a second reader, and reads outside transactions go there; `kernel.db.read.primary` says otherwise.

`Database("postgresql://…", pool_size=16)` opens nothing; connections are made when they are needed and half of them belong
to sessions, half to the reader. A PostgreSQL that was restarted is found again without a restart of ours.
"""

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import msgspec
from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from xumi.kernel.db import scope_compiler, sqlite
from xumi.kernel.db.errors import DatabaseUnavailable
from xumi.kernel.db.insertion import Insertions
from xumi.kernel.db.location import CONNECT_TIMEOUT_SECONDS, parse_url, prepare_file, require_driver
from xumi.kernel.db.read import Reader
from xumi.kernel.db.row_session import RowSession
from xumi.kernel.db.runner import Runner, Writer
from xumi.kernel.db.session_pool import SessionPool
from xumi.kernel.errors import StartError

POOL_TIMEOUT_SECONDS = 5.0
# SQLite writes one at a time; more connections would only wait for each other inside SQLite instead of in our queue.
SQLITE_SESSIONS = 4
SQLITE_READERS = 4


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# JSON columns are written and read by the library that is fast at it.
JSON_OPTIONS: dict[str, Any] = {"json_serializer": _to_json, "json_deserializer": msgspec.json.decode}


class Database:
    """One database: `sessions()` for writes, `read` for reads.

    Attributes:
        url: the URL with its driver; `str()` of it masks the password.
        dialect: `sqlite`, `postgresql` or `mysql`.
        engine: SQLAlchemy's engine behind the sessions.
        sessions: makes an `AsyncSession`.
        read: runs reads outside any session.
        replica: runs those that may lag behind, on the database of `read_url`; None without one.

    Raises:
        StartError: a URL is malformed, its driver is missing, or `read_url` names another kind of database.
    """

    def __init__(
        self, url: str, *, read_url: str | None = None, pool_size: int = 16, echo: bool = False
    ) -> None:
        self.dialect, self.url = parse_url(url)
        require_driver(self.dialect)
        # Removes the folder of a database in memory; one that nobody closes takes it along when it is forgotten.
        self._remove_folder: Callable[[], object] | None = None
        if self.dialect == "sqlite":
            self._place_file()
        read_size = max(1, pool_size // 2)
        self.engine = self._make_engine(max(1, pool_size - read_size), echo)
        scope_compiler.install(self.engine.sync_engine)
        self.sessions = async_sessionmaker(
            self.engine, class_=AsyncSession, sync_session_class=RowSession, expire_on_commit=False
        )
        runner = self._make_runner(self.url, read_size)
        self.read = Reader(self.engine.dialect, runner)
        self.read.totals.install(self.engine.sync_engine)
        self.replica = self._make_replica(read_url, read_size) if read_url else None

        self.writer: Writer | None = None if self.dialect == "mysql" or echo else cast(Writer, runner)
        self.insertions = Insertions(self)

    def writing(self, tables: frozenset[str]) -> AbstractContextManager[None]:
        """A block in which a transaction writes to these tables that does not go through the engine: totals are told."""
        if self.replica is None:
            return self.read.totals.writing(tables)
        return _both(self.read.totals.writing(tables), self.replica.totals.writing(tables))

    def note_writes(self, connection: Connection, tables: frozenset[str]) -> None:
        """Tell totals of tables that a connection of the engine writes to in this transaction, past the engine."""
        for reader in filter(None, (self.read, self.replica)):
            reader.totals.note_writes(connection, tables)

    def _make_replica(self, url: str, size: int) -> Reader:
        dialect, place = parse_url(url, "DATABASE_READ_URL")
        if dialect != self.dialect:
            raise StartError(
                f"DATABASE_READ_URL names a {dialect} database and DATABASE_URL a {self.dialect} one: a replica is of the "
                "same kind."
            )
        if dialect == "sqlite" and not Path(place.database or "").is_file():
            raise StartError("DATABASE_READ_URL must name a file that exists.")
        replica = Reader(self.engine.dialect, self._make_runner(place, size))
        replica.totals.install(self.engine.sync_engine)
        return replica

    def _place_file(self) -> None:
        if self.url.database in (None, "", ":memory:"):
            # Readers and writers are different connections, which cannot share a database in memory.
            folder = tempfile.mkdtemp(prefix="xumi-")
            self._remove_folder = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self.url = self.url.set(database=str(Path(folder, "memory.db")))
        prepare_file(self.url)

    def _make_engine(self, size: int, echo: bool) -> AsyncEngine:
        options: dict[str, Any] = {
            "echo": echo,
            "hide_parameters": True,
            **JSON_OPTIONS,
            "max_overflow": 0,
            "pool_timeout": POOL_TIMEOUT_SECONDS,
            "pool_size": size,
            "poolclass": SessionPool,
        }
        if self.dialect == "postgresql":
            from xumi.kernel.db import postgresql, postgresql_driver

            options["async_creator"] = postgresql.Connector(self.url, CONNECT_TIMEOUT_SECONDS)
            engine = create_async_engine(
                self.url, module=None if echo else postgresql_driver.DRIVER, **options
            )
            postgresql.install(engine.sync_engine)
            return engine
        if self.dialect == "sqlite":
            options |= {"pool_size": min(size, SQLITE_SESSIONS), "connect_args": sqlite.CONNECT_ARGUMENTS}
            from xumi.kernel.db.sqlite_driver import DRIVER

            engine = create_async_engine(self.url, module=DRIVER, **options)
            sqlite.install(engine.sync_engine)
            return engine
        from xumi.kernel.db import mysql

        options["async_creator"] = mysql.Connector(self.url, CONNECT_TIMEOUT_SECONDS)
        # Code that is right on PostgreSQL is right here: a statement sees what others committed before it.
        options |= {"pool_pre_ping": True, "isolation_level": "READ COMMITTED"}
        return create_async_engine(self.url, **options)

    def _make_runner(self, url: URL, size: int) -> Runner:
        if self.dialect == "postgresql":
            from xumi.kernel.db import postgresql

            connect = postgresql.Connector(url, CONNECT_TIMEOUT_SECONDS)
            return postgresql.PostgresRunner(connect, size, postgresql.decode_json)
        if self.dialect == "sqlite":
            set_up = self.engine.dialect.on_connect()
            return sqlite.SqliteRunner(str(url.database), min(size, SQLITE_READERS), set_up)
        from xumi.kernel.db import mysql

        return mysql.MysqlRunner(mysql.Connector(url, CONNECT_TIMEOUT_SECONDS, autocommit=True), size)

    async def start(self) -> None:
        """Learn whether a MySQL server is a MariaDB, whose SQL differs a little.

        Connections are opened when they are needed; a start does not need the database.
        """
        if self.dialect == "mysql":
            with suppress(DatabaseUnavailable, SQLAlchemyError):
                async with self.engine.connect():
                    pass

    async def ping(self, timeout: float = 2.0) -> bool:
        """Whether the database answers a query within `timeout` seconds."""
        return await _answers(self.read, timeout)

    async def ping_replica(self, timeout: float = 2.0) -> bool:
        """Whether the replica answers a query within `timeout` seconds; True where there is none."""
        return self.replica is None or await _answers(self.replica, timeout)

    async def close(self) -> None:
        """Close all connections. Safe to call twice."""
        for reader in filter(None, (self.read, self.replica)):
            await reader.close()
        await self.engine.dispose()
        if self._remove_folder is not None:
            self._remove_folder()


@contextmanager
def _both(first: AbstractContextManager[None], second: AbstractContextManager[None]) -> Iterator[None]:
    with first, second:
        yield


async def _answers(reader: Reader, timeout: float) -> bool:
    try:
        async with asyncio.timeout(timeout):
            await reader.ping()
    except Exception:
        return False
    return True

"""Where a database is and how its connections are set up."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from tests.kernel.db.tables import Author, TableBase
from xumi.kernel.db.engine import Database
from xumi.kernel.db.location import parse_url
from xumi.kernel.db.runner import Query
from xumi.kernel.errors import StartError
from xumi.kernel.testing.postgres import PostgresServer


@pytest.mark.parametrize(
    ("url", "driver", "dialect"),
    [
        ("sqlite:///data/xumi.db", "sqlite+aiosqlite", "sqlite"),
        ("postgresql://user:pass@localhost/dbname", "postgresql+asyncpg", "postgresql"),
        ("postgres://user:pass@localhost/dbname", "postgresql+asyncpg", "postgresql"),
        ("postgresql+psycopg2://user:pass@localhost/dbname", "postgresql+asyncpg", "postgresql"),
        ("mysql://user:pass@localhost/dbname", "mysql+asyncmy", "mysql"),
        ("mysql+pymysql://user:pass@localhost/dbname", "mysql+asyncmy", "mysql"),
        ("mariadb://user:pass@localhost/dbname", "mysql+asyncmy", "mysql"),
    ],
)
def test_plain_urls_get_their_driver(url: str, driver: str, dialect: str) -> None:
    found, parsed = parse_url(url)
    assert (found, parsed.drivername) == (dialect, driver)


@pytest.mark.parametrize(
    "url", ["", "xumi.db", "oracle://u:hunter2@h/d", "postgresql:/x", "postgresql://u:hunter2@h:port/d"]
)
def test_other_urls_are_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(StartError, match="DATABASE_URL must be like") as caught:
        parse_url(url)
    assert "hunter2" not in str(caught.value)


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in str(Database("postgresql://u:hunter2@127.0.0.1/d").url)


async def test_the_folder_of_an_sqlite_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.db"
    database = Database(f"sqlite:///{path}")
    assert await database.ping()
    assert path.exists()
    await database.close()


async def test_sqlite_keeps_what_was_committed(database: Database) -> None:
    if database.dialect != "sqlite":
        return
    async with database.sessions() as session:
        pragmas = {}
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout"):
            pragmas[name] = await session.scalar(text(f"PRAGMA {name}"))
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_a_database_in_memory_is_one_database(url: str) -> None:
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(TableBase.metadata.create_all)
    async with database.sessions() as session:
        session.add(Author(name="a"))
        await session.commit()
    assert list(await database.read.runner.fetch(Query("SELECT name FROM t_author", ()))) == [("a",)]
    path = Path(str(database.url.database))
    await database.close()
    assert not await asyncio.to_thread(path.exists)


async def test_a_restarted_postgresql_is_found_again_by_reads_and_sessions() -> None:
    with PostgresServer() as server:
        database = Database(server.create_database("again"), pool_size=4)
        runner = database.read.runner
        for _ in range(3):
            async with database.sessions() as session:
                assert await session.scalar(select(func.now())) is not None
            assert list(await runner.fetch(Query("SELECT 1", ()))) == [(1,)]
            server.restart()
            # A process that does not block, as the restart does here, sees the connections close meanwhile.
            await asyncio.sleep(0.1)
        server.restart()
        # A read may be repeated: it succeeds even before that.
        pair = await runner.fetch_two(Query("SELECT 1", ()), Query("SELECT 2", ()), lambda rows: True)
        assert [list(rows) for rows in pair] == [[(1,)], [(2,)]]
        await database.close()


async def test_the_connections_are_bounded(postgresql: PostgresServer) -> None:
    database = Database(postgresql.create_database("bounded"), pool_size=6)
    runner: Any = database.read.runner

    async def read() -> None:
        await runner.fetch(Query("SELECT pg_sleep(0.02)", ()))

    async def write() -> None:
        async with database.sessions() as session:
            await session.execute(text("SELECT pg_sleep(0.02)"))

    most = 0
    work = [asyncio.create_task(read() if number % 2 else write()) for number in range(60)]
    other = Database(postgresql.url)
    question = Query("SELECT count(*) FROM pg_stat_activity WHERE datname = 'bounded'", ())
    while not all(task.done() for task in work):
        [[count]] = await other.read.runner.fetch(question)
        most = max(most, count)
    await asyncio.gather(*work)
    assert 2 <= most <= 6
    await database.close()
    await other.close()


def test_a_new_sqlite_file_is_for_its_owner_only(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path}/new/xumi.db")
    assert (tmp_path / "new" / "xumi.db").stat().st_mode & 0o777 == 0o600


WITHOUT_DRIVERS = """
import asyncio, sys
sys.modules["asyncpg"] = sys.modules["asyncmy"] = None
from xumi.kernel.db import Database, DatabaseManager, paginate_query, migrate
from xumi.kernel.errors import StartError

asyncio.run(migrate.upgrade(f"sqlite:///{sys.argv[1]}"))
for url in ("postgresql://u:p@127.0.0.1/d", "mysql://u:p@127.0.0.1/d"):
    for use in (Database, lambda url: asyncio.run(migrate.upgrade(url))):
        try:
            use(url)
        except StartError as error:
            print(error)
"""


def test_sqlite_needs_no_other_driver_and_the_others_say_what_to_install(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_DRIVERS, str(tmp_path / "x.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("pip install 'xumi[postgres]'") == 2
    assert done.stdout.count("pip install 'xumi[mysql]'") == 2

"""A database with the tables of these tests: SQLite, PostgreSQL and MariaDB in turn."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, insert

from tests.kernel.db.library import BOOKS, make_authors, make_books, rows_of
from tests.kernel.db.tables import Author, Book, TableBase
from xumi.kernel.config import Settings
from xumi.kernel.context import Context, enter
from xumi.kernel.db.engine import Database
from xumi.kernel.testing.mariadb import MariadbServer
from xumi.kernel.testing.postgres import PostgresServer


@pytest.fixture(scope="session")
def empty_sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An SQLite file with the tables, for all these tests."""
    return _with_tables(f"sqlite:///{tmp_path_factory.mktemp('db') / 'tables.db'}")


@pytest.fixture(scope="session")
def empty_postgresql_url(postgresql: PostgresServer) -> str:
    """A PostgreSQL database with the tables, for all these tests."""
    return _with_tables(postgresql.create_database("tables"))


@pytest.fixture(scope="session")
def empty_mariadb_url(mariadb: MariadbServer) -> str:
    """A MariaDB database with the tables, for all these tests."""
    return _with_tables(mariadb.create_database("tables"))


def _with_tables(url: str) -> str:
    async def create() -> None:
        database = Database(url)
        async with database.engine.begin() as connection:
            await connection.run_sync(TableBase.metadata.create_all)
        await database.close()

    asyncio.run(create())
    return url


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the tables are."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url


@pytest.fixture
def own_url(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> str:
    """A database of this test's own, without tables."""
    if url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'own.db'}"
    kind = "postgresql" if url.startswith("postgresql") else "mariadb"
    server: PostgresServer | MariadbServer = request.getfixturevalue(kind)
    return server.create_database("own")


@pytest.fixture(scope="session")
async def open_databases() -> AsyncIterator[dict[str, Database]]:
    """The databases that are open, by URL: opening one for each test would cost more than most tests."""
    opened: dict[str, Database] = {}
    yield opened
    for database in opened.values():
        await database.close()


@pytest.fixture
async def database(url: str, open_databases: dict[str, Database]) -> Database:
    """The database, with empty tables."""
    if url not in open_databases:
        open_databases[url] = Database(url)
    database = open_databases[url]
    async with database.engine.begin() as connection:
        for table in reversed(TableBase.metadata.sorted_tables):
            await connection.execute(delete(table))
    return database


@pytest.fixture
def resources(database: Database) -> Any:
    """What the code under test asks for the database and the settings."""
    return SimpleNamespace(
        database=database, settings=Settings(app_env="test", database_url=str(database.url))
    )


@pytest.fixture
def context(resources: Any) -> Context:
    """A piece of work, not yet the running one."""
    return Context(resources, "test")


@pytest.fixture
async def work(context: Context) -> AsyncIterator[Context]:
    """A piece of work that runs, as a request does."""
    with enter(context):
        yield context


@pytest.fixture
async def books(database: Database, work: Context) -> Database:
    """The database with five authors and 53 books, in a piece of work that runs."""
    async with database.sessions() as session:
        await session.execute(insert(Author), rows_of(make_authors()))
        await session.execute(insert(Book), rows_of(make_books(BOOKS)))
        await session.commit()
    return database

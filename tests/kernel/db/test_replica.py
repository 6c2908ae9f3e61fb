"""Where reads go when there is a replica: it holds other rows than the database here, so that each answer tells."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.kernel.db.tables import Author, TableBase
from xumi.kernel.context import Context, enter
from xumi.kernel.db.engine import Database
from xumi.kernel.db.query import PaginateRequest, paginate_query
from xumi.kernel.db.read import fetch_all, fetch_one, fetch_value, get_one, primary
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import StartError
from xumi.kernel.schema import SchemaBase
from xumi.kernel.testing.postgres import PostgresServer

NAMES = select(Author).order_by(Author.name)


class AuthorName(SchemaBase):
    """Tells which database has answered."""

    name: str


async def make(url: str, name: str) -> None:
    """A database with one author."""
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(TableBase.metadata.create_all)
    async with database.sessions.begin() as session:
        session.add(Author(name=name))
    await database.close()


@pytest.fixture
def urls(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A database and its replica, of the kind that `url` is of."""
    if url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'main.db'}", f"sqlite:///{tmp_path / 'replica.db'}"
    server: PostgresServer = request.getfixturevalue("postgresql")
    return server.create_database("main"), server.create_database("replica")


@pytest.fixture
async def database(urls: tuple[str, str]) -> AsyncIterator[Database]:
    """The author of the one is `main`, that of the other `replica`."""
    for url, name in zip(urls, ("main", "replica"), strict=True):
        await make(url, name)
    database = Database(urls[0], read_url=urls[1], pool_size=4)
    yield database
    await database.close()


async def names() -> list[str]:
    """What every kind of read sees; they must agree."""
    one, got = await fetch_one(NAMES, AuthorName), await get_one(NAMES, AuthorName)
    page = await paginate_query(NAMES, PaginateRequest(), AuthorName, sortable=[Author.name])
    listed = await fetch_all(NAMES, AuthorName)
    found = [author.name for author in listed]
    assert one is not None
    assert [one.name, got.name, await fetch_value(select(Author.name))] == [found[0]] * 3
    assert [author.name for author in page.items] == found
    return found


async def test_reads_go_to_the_replica_and_writes_do_not(database: Database, work: Context) -> None:
    assert await names() == ["replica"]
    async with unit_of_work() as unit:
        unit.session.add(Author(name="new"))
    assert await names() == ["replica"]
    with primary():
        assert await names() == ["main", "new"]
    assert await names() == ["replica"]


async def test_reads_inside_a_transaction_stay_in_it(work: Context) -> None:
    async with unit_of_work() as unit:
        assert await names() == ["replica"], "nothing has begun yet"
        unit.session.add(Author(name="new"))
        assert await names() == ["main", "new"]
        await unit.rollback()


async def test_a_block_concerns_only_what_runs_in_it(work: Context) -> None:
    entered, may_leave = asyncio.Event(), asyncio.Event()

    async def inside() -> list[str]:
        with primary():
            entered.set()
            await may_leave.wait()
            return await names()

    task = asyncio.create_task(inside())
    await entered.wait()
    assert await names() == ["replica"]
    may_leave.set()
    assert await task == ["main"]


async def test_files_come_from_the_replica_too(work: Context) -> None:
    request = PaginateRequest(export="csv")
    response: Any = await paginate_query(NAMES, request, AuthorName, sortable=[Author.name])
    text = b"".join([piece async for piece in response.body_iterator])
    assert b"replica" in text
    assert b"main" not in text


async def test_without_a_replica_all_reads_see_the_database(urls: tuple[str, str]) -> None:
    await make(urls[0], "main")
    database = Database(urls[0])
    resources: Any = SimpleNamespace(database=database)
    with enter(Context(resources, "test")):
        assert await fetch_value(select(func.count()).select_from(Author)) == 1
    assert await database.ping_replica()
    await database.close()


async def test_whether_each_answers_is_told_apart(urls: tuple[str, str], postgresql: PostgresServer) -> None:
    gone = "postgresql://postgres@127.0.0.1:1/gone"
    database = Database(postgresql.url, read_url=gone)
    assert (await database.ping(), await database.ping_replica()) == (True, False)
    await database.close()
    database = Database(gone, read_url=postgresql.url)
    assert (await database.ping(), await database.ping_replica()) == (False, True)
    await database.close()


@pytest.mark.parametrize(
    ("read_url", "message"),
    [
        (
            "postgresql://u:hunter2@127.0.0.1/d",
            "DATABASE_READ_URL names a postgresql database and DATABASE_URL a sqlite one",
        ),
        ("oracle://u:hunter2@h/d", "DATABASE_READ_URL must be like"),
        ("sqlite://", "DATABASE_READ_URL must name a file that exists"),
        ("sqlite:///nowhere.db", "DATABASE_READ_URL must name a file that exists"),
    ],
)
def test_what_cannot_be_a_replica_refuses_to_start(tmp_path: Path, read_url: str, message: str) -> None:
    with pytest.raises(StartError, match=message) as caught:
        Database(f"sqlite:///{tmp_path / 'main.db'}", read_url=read_url)
    assert "hunter2" not in str(caught.value)

"""What is particular to MySQL and MariaDB."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, time
from typing import Any

import asyncmy
import pytest
from sqlalchemy import func, insert, literal, select, text

from tests.kernel.db.library import BookOut
from tests.kernel.db.tables import Author, Book
from xumi.kernel.context import Context
from xumi.kernel.db import migrate
from xumi.kernel.db.engine import Database
from xumi.kernel.db.errors import DatabaseUnavailable, translate
from xumi.kernel.db.location import parse_url
from xumi.kernel.db.model import UtcDateTime
from xumi.kernel.db.mysql import Connector
from xumi.kernel.db.query import PaginateRequest, fetch_value, paginate_query
from xumi.kernel.db.runner import Query
from xumi.kernel.errors import APICode, StartError
from xumi.kernel.testing.mariadb import MISSING, MariadbServer


@pytest.fixture
def url(empty_mariadb_url: str) -> str:
    """Only MariaDB."""
    return empty_mariadb_url


@pytest.fixture
def own_server() -> Iterator[MariadbServer]:
    """A server of this test's own, which it may kill."""
    if not MariadbServer.installed():
        pytest.skip(MISSING)
    with MariadbServer() as server:
        yield server


async def test_a_cancellation_that_the_driver_loses_counts(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to Python 3.11 `asyncio.wait_for`, which the driver connects by, loses one that comes as the connection does."""
    opened: list[Any] = []
    connect = asyncmy.connect

    async def lose(**options: Any) -> Any:
        opened.append(await connect(**options))
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return opened[-1]

    monkeypatch.setattr(asyncmy, "connect", lose)
    task = asyncio.create_task(Connector(parse_url(url)[1], 5.0)())
    await asyncio.wait([task])
    assert task.cancelled()
    assert [connection.connected for connection in opened] == [False]


async def test_a_killed_server_is_found_again_by_reads_and_sessions(own_server: MariadbServer) -> None:
    database = Database(own_server.create_database("kept"))
    async with database.sessions() as session:
        await session.execute(text("CREATE TABLE t (x INT)"))
        await session.execute(text("INSERT INTO t VALUES (7)"))
        await session.commit()
    read = Query("SELECT x FROM t", ())
    assert [list(row) for row in await database.read.runner.fetch(read)] == [[7]]
    own_server.kill()
    assert not await database.ping()
    with pytest.raises(DatabaseUnavailable):
        await database.read.runner.fetch(read)
    with pytest.raises(Exception) as caught:
        async with database.sessions() as session:
            await session.execute(text("SELECT 1"))
    assert getattr(translate(caught.value), "code", None) is APICode.DATABASE_UNAVAILABLE
    own_server.start()
    for _ in range(3):
        assert [list(row) for row in await database.read.runner.fetch(read)] == [[7]]
        async with database.sessions() as session:
            assert await session.scalar(text("SELECT x FROM t")) == 7
    own_server.kill()
    own_server.start()
    # Now the connections are dead and the server is not.
    assert [list(row) for row in await database.read.runner.fetch(read)] == [[7]]
    async with database.sessions() as session:
        assert await session.scalar(text("SELECT x FROM t")) == 7
    await database.close()


async def test_a_cancelled_query_is_stopped_on_the_server(database: Database, work: Context) -> None:
    running = Query(
        "SELECT count(*) FROM information_schema.processlist WHERE info LIKE %s", ("SELECT sleep(3%",)
    )
    tasks = [
        asyncio.create_task(fetch_value(text("SELECT sleep(300)").columns(Book.pages))) for _ in range(3)
    ]

    async def wait_for(count: int) -> None:
        async with asyncio.timeout(10):
            while (await database.read.runner.fetch(running))[0][0] != count:
                await asyncio.sleep(0.01)

    await wait_for(3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await wait_for(0)


async def test_sessions_and_reads_have_one_set_up(database: Database) -> None:
    for variable, expected in (("time_zone", "+00:00"), ("character_set_connection", "utf8mb4")):
        async with database.sessions() as session:
            assert await session.scalar(text(f"SELECT @@{variable}")) == expected
        assert (await database.read.runner.fetch(Query(f"SELECT @@{variable}", ())))[0][0] == expected
    async with database.sessions() as session:
        assert "STRICT_TRANS_TABLES" in str(await session.scalar(text("SELECT @@sql_mode")))


async def test_a_session_sees_what_was_committed_meanwhile(database: Database) -> None:
    """READ COMMITTED, as on PostgreSQL; MySQL's own default would show the old state."""
    async with database.sessions() as reading, database.sessions() as writing:
        assert await reading.scalar(select(func.count()).select_from(Author)) == 0
        writing.add(Author(name="a"))
        await writing.commit()
        assert await reading.scalar(select(func.count()).select_from(Author)) == 1


async def test_a_deadlock_may_be_tried_again(database: Database) -> None:
    async with database.sessions() as session:
        session.add_all([Author(id="1", name="a"), Author(id="2", name="b")])
        await session.commit()
    async with database.sessions() as first, database.sessions() as second:
        await first.execute(text("UPDATE t_author SET active = 1 WHERE id = '1'"))
        await second.execute(text("UPDATE t_author SET active = 1 WHERE id = '2'"))
        crossed = await asyncio.gather(
            first.execute(text("UPDATE t_author SET active = 0 WHERE id = '2'")),
            second.execute(text("UPDATE t_author SET active = 0 WHERE id = '1'")),
            return_exceptions=True,
        )
    [error] = [result for result in crossed if isinstance(result, BaseException)]
    assert getattr(translate(error), "code", None) is APICode.TRANSACTION_CONFLICT


async def test_a_database_for_few_alphabets_is_refused(own_server: MariadbServer) -> None:
    url = own_server.create_database("narrow")
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.execute(text("ALTER DATABASE narrow CHARACTER SET latin1"))
    await database.close()
    with pytest.raises(StartError, match="character set latin1"):
        await migrate.upgrade(url)


async def test_a_time_of_day_can_be_paged_by(books: Database) -> None:
    """The driver gives TIME columns as a span of time, which a cursor did not know."""
    statement = select(Book).where(Book.opens.is_not(None))
    seen: list[time | None] = []
    after = None
    while True:
        request = PaginateRequest(size=4, sort="-opens", after=after)
        page = await paginate_query(statement, request, BookOut, sortable=[Book.opens], keyset=True)
        seen += [book.opens for book in page.items]
        after = page.next
        if after is None:
            break
    assert len(seen) > 20
    assert seen == sorted(seen, key=str, reverse=True)


async def test_a_column_or_a_parameter_is_still_a_point_in_time(books: Database) -> None:
    """MySQL makes a text of a column and a parameter together."""
    moment = datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    either = func.coalesce(Book.sold_at, literal(moment, UtcDateTime()))
    assert await fetch_value(select(either).where(Book.sold_at.is_(None))) == moment
    assert isinstance(await fetch_value(select(either).where(Book.sold_at.is_not(None))), datetime)


async def test_a_number_that_was_read_is_equal_to_itself(books: Database) -> None:
    """FLOAT has 32 bits on MySQL: `Mapped[float]` is DOUBLE."""
    found = await fetch_value(select(Book.weight).where(Book.weight.between(0.05, 0.15)))
    assert found == 0.1
    assert await fetch_value(select(func.count()).where(Book.weight == found)) > 0


async def test_the_percent_sign_means_itself(database: Database, work: Context) -> None:
    async with database.sessions() as session:
        await session.execute(insert(Author), [{"name": "100%s", "active": True}])
        await session.commit()
    assert await fetch_value(select(Author.name).where(Author.name.like("%\\%s", escape="\\"))) == "100%s"
    assert await fetch_value(select(literal("%s %(x)s %%"))) == "%s %(x)s %%"
    assert await fetch_value(text("SELECT '50%'").columns(Author.name)) == "50%"

"""Commits that need no flush: the same rows as by the ORM's flush, the same entities afterwards, the same refusals."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Text, event, func, inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, Session, column_property, mapped_column, relationship

from tests.kernel.db.tables import Author, Book, Color, Seat, TableBase
from xumi.kernel.context import Context
from xumi.kernel.db.engine import Database
from xumi.kernel.db.errors import DatabaseUnavailable, translate
from xumi.kernel.db.runner import Query
from xumi.kernel.db.session import UnitOfWork
from xumi.kernel.testing.postgres import PostgresServer

DIRECT = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)

WAITING = Query(
    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()", ()
)

BOOKS: list[dict[str, Any]] = [
    {"title": "least", "color": Color.RED},
    {
        "title": "most",
        "color": Color.DARK_BLUE,
        "pages": 2**40,
        "price": Decimal("12.50"),
        "weight": 0.1,
        "public": True,
        "data": {"a": [1, None, "ü"]},
        "tags": ["x", "y"],
        "printed_on": date(2020, 2, 29),
        "opens": time(8, 30, 1),
        "code": UUID(int=7),
        "cover": b"\x00\xff",
        "sold_at": datetime(2024, 1, 1, tzinfo=UTC),
        "summary": "须弥 ' \" \\",
        "created_at": datetime(2020, 1, 1, tzinfo=UTC),
        "updated_at": datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    },
    {"title": "none", "color": Color.RED, "pages": None, "data": None, "tags": None, "summary": None},
    {
        "title": "false",
        "color": Color.RED,
        "pages": 0,
        "public": False,
        "data": {},
        "tags": [],
        "summary": "",
    },
]


@pytest.fixture
async def unit(database: Database, work: Context) -> AsyncIterator[UnitOfWork]:
    """The running piece of work's transaction."""
    unit = work.unit_of_work = UnitOfWork(database)
    yield unit
    await unit.close()


@contextmanager
def flushes(database: Database) -> Iterator[list[str]]:
    """The transactions that the engine begins meanwhile."""
    begun: list[str] = []

    def note(_connection: Connection) -> None:
        begun.append("begin")

    event.listen(database.engine.sync_engine, "begin", note)
    yield begun
    event.remove(database.engine.sync_engine, "begin", note)


async def _stored(database: Database, model: type[TableBase]) -> list[tuple[Any, ...]]:
    """The rows as the database holds them, told apart where SQL NULL and JSON null look alike."""
    columns = [*model.__table__.columns]
    if model is Book:
        columns += [
            Book.data.is_(None).label("no_data"),
            Book.__table__.c.tags.cast(Text()).label("tags_text"),
        ]
    async with database.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns).order_by(model.id))]


@DIRECT
async def test_rows_are_those_of_a_flush(database: Database, unit: UnitOfWork) -> None:
    fixed = {"created_at": datetime(2021, 1, 1, tzinfo=UTC), "updated_at": datetime(2021, 1, 1, tzinfo=UTC)}
    values = [{"id": f"{number:026}", **fixed, **book} for number, book in enumerate(BOOKS)]
    async with database.sessions() as session:
        session.add_all(Book(**each) for each in values)
        await session.commit()
    by_flush = await _stored(database, Book)
    async with database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM t_book"))
    with flushes(database) as begun:
        unit.session.add_all([Book(**each) for each in values])
        await unit.commit()
    assert begun == []
    assert await _stored(database, Book) == by_flush
    assert len(by_flush) == len(BOOKS)


@DIRECT
async def test_the_entity_is_persistent_and_whole(database: Database, unit: UnitOfWork) -> None:
    author = Author(name="Li")
    unit.session.add(author)
    await unit.commit()
    state = inspect(author)
    assert (state.persistent, state.modified, state.unloaded) == (True, False, set())
    assert (author.active, author.born) == (True, None)
    assert author.created_at.tzinfo is UTC
    assert len(author.id) == 26
    assert await unit.session.get(Author, author.id) is author
    author.name = "Li Bai"
    await unit.commit()
    assert [row[1] for row in await _stored(database, Author)] == ["Li Bai"]
    await unit.session.delete(author)
    await unit.commit()
    assert await _stored(database, Author) == []


@DIRECT
async def test_parents_come_before_children(database: Database, unit: UnitOfWork) -> None:
    author = Author(id="1" * 26, name="Li")
    with flushes(database) as begun:
        unit.session.add_all([Book(title="a", color=Color.RED, author_id=author.id), author])
        await unit.commit()
    assert begun == []
    assert len(await _stored(database, Book)) == 1


@DIRECT
async def test_a_refusal_is_the_orms_and_leaves_nothing(database: Database, unit: UnitOfWork) -> None:
    unit.session.add(Author(name="Li"))
    await unit.commit()
    for entities in ([Author(name="Li")], [Author(name="Du"), Author(name="Li")]):
        unit.session.add_all(entities)
        with pytest.raises(IntegrityError) as caught:
            await unit.commit()
        refusal = translate(caught.value)
        assert refusal is not None
        assert [field.field for field in refusal.errors] == ["name"]
        await unit.rollback()
    assert [row[1] for row in await _stored(database, Author)] == ["Li"]
    unit.session.add(Author(name="Du"))
    await unit.commit()
    assert len(await _stored(database, Author)) == 2


@DIRECT
@pytest.mark.parametrize("wrong", [{"pages": -1}, {"author_id": "nobody"}])
async def test_constraints_hold(database: Database, unit: UnitOfWork, wrong: dict[str, Any]) -> None:
    unit.session.add(Book(title="a", color=Color.RED, **wrong))
    with pytest.raises(IntegrityError):
        await unit.commit()
    assert await _stored(database, Book) == []


@DIRECT
async def test_a_wrong_value_is_told_by_the_orm(database: Database, unit: UnitOfWork) -> None:
    unit.session.add(Book(title="a", color=Color.RED, sold_at=datetime(2024, 1, 1)))  # noqa: DTZ001
    with pytest.raises(StatementError, match="has no time zone"):
        await unit.commit()


@DIRECT
async def test_what_is_more_than_new_entities_is_flushed(database: Database, unit: UnitOfWork) -> None:
    unit.session.add(Author(id="1" * 26, name="Li"))
    await unit.commit()
    unit.session.add(Author(id="2" * 26, name=func.upper("du")))
    with flushes(database) as begun:
        await unit.commit()
    assert begun == ["begin"]
    second = UnitOfWork(database)
    author = await second.session.get_one(Author, "1" * 26)
    author.name = "Wang"
    second.session.add(Author(id="3" * 26, name="Su"))
    await second.commit()
    await second.close()
    assert [row[1] for row in await _stored(database, Author)] == ["Wang", "DU", "Su"]


@DIRECT
async def test_what_was_sent_before_is_of_the_same_transaction(database: Database, unit: UnitOfWork) -> None:
    unit.session.add(Author(name="Li"))
    await unit.session.flush()
    unit.session.add(Seat(row="A", number=1))
    unit.session.add(Seat(row="A", number=1))
    with pytest.raises(IntegrityError):
        await unit.commit()
    await unit.rollback()
    assert await _stored(database, Author) == []


@DIRECT
async def test_listeners_are_called(database: Database, unit: UnitOfWork) -> None:
    told: list[str] = []

    def before_flush(*_: object) -> None:
        told.append("flush")

    def before_insert(*_: object) -> None:
        told.append("insert")

    event.listen(Session, "before_flush", before_flush)
    event.listen(Author, "before_insert", before_insert)
    try:
        unit.session.add(Author(name="Li"))
        await unit.commit()
        event.remove(Session, "before_flush", before_flush)
        unit.session.add(Author(name="Du"))
        await unit.commit()
    finally:
        event.remove(Author, "before_insert", before_insert)
        if event.contains(Session, "before_flush", before_flush):
            event.remove(Session, "before_flush", before_flush)
    assert told == ["flush", "insert", "insert"]


def _counter(context: Any) -> int:
    return len(context.get_current_parameters())


class Parent(TableBase):
    """Has what only a flush can insert."""

    __tablename__ = "t_parent"

    counted: Mapped[int] = mapped_column(default=_counter)
    stamped: Mapped[int] = mapped_column(server_default="7")
    doubled: Mapped[int] = column_property(stamped + stamped)
    books: Mapped[list[Book]] = relationship(
        primaryjoin="foreign(Book.author_id) == Parent.id", viewonly=True
    )


@DIRECT
async def test_models_that_need_a_flush_get_one(database: Database, unit: UnitOfWork) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(TableBase.metadata.tables["t_parent"].create, checkfirst=True)
    with flushes(database) as begun:
        unit.session.add(Parent(id="1" * 26))
        await unit.commit()
    assert begun == ["begin"]
    [row] = await _stored(database, Parent)
    assert row[2] == 7


@DIRECT
async def test_an_unused_session_costs_no_transaction(database: Database, unit: UnitOfWork) -> None:
    with flushes(database) as begun:
        assert isinstance(unit.session, AsyncSession)
        await unit.commit()
        await unit.close()
    assert begun == []


@DIRECT
async def test_hooks_before_the_commit_belong_to_it(database: Database, unit: UnitOfWork) -> None:
    async def add_seat(session: AsyncSession) -> None:
        session.add(Seat(row="A", number=1))

    unit.session.add(Author(name="Li"))
    unit.before_commit(add_seat)
    await unit.commit()
    assert len(await _stored(database, Seat)) == 1
    unit.session.add(Author(name="Li"))
    unit.before_commit(add_seat)
    with pytest.raises(IntegrityError):
        await unit.commit()
    await unit.rollback()
    assert len(await _stored(database, Seat)) == 1


async def _blocked_commit(
    database: Database, unit: UnitOfWork, more: bool
) -> tuple[AsyncSession, asyncio.Task[None]]:
    """A commit that waits for another transaction, which holds the same unique name."""
    blocker = database.sessions()
    blocker.add(Author(name="Li"))
    await blocker.flush()
    unit.session.add_all([Author(name="Li"), *([Author(name="Du")] if more else [])])
    task = asyncio.create_task(unit.commit())
    async with asyncio.timeout(5):
        while not await database.read.runner.fetch(WAITING):
            await asyncio.sleep(0.01)
    return blocker, task


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_connection_lost_during_the_commit_is_not_repeated(
    database: Database, unit: UnitOfWork
) -> None:
    blocker, task = await _blocked_commit(database, unit, more=False)
    async with database.engine.connect() as connection:
        await connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        )
    with pytest.raises(DatabaseUnavailable, match="during a commit"):
        await task
    await blocker.rollback()
    await blocker.close()
    assert await _stored(database, Author) == []


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("more", [False, True])
async def test_a_cancelled_commit_leaves_nothing(database: Database, unit: UnitOfWork, more: bool) -> None:
    blocker, task = await _blocked_commit(database, unit, more)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await blocker.rollback()
    await blocker.close()
    await unit.rollback()
    assert await _stored(database, Author) == []
    unit.session.add(Author(name="Li"))
    await unit.commit()
    assert len(await _stored(database, Author)) == 1


@DIRECT
async def test_many_at_once(database: Database, work: Context) -> None:
    async def add(number: int) -> None:
        unit = UnitOfWork(database)
        unit.session.add_all([Seat(row="A", number=number), Author(name=str(number % 50))])
        try:
            await unit.commit()
        except IntegrityError:
            await unit.rollback()
        await unit.close()

    await asyncio.gather(*(add(number) for number in range(100)))
    assert len(await _stored(database, Author)) == 50
    assert len(await _stored(database, Seat)) == 50


async def test_a_restarted_server_is_found_again(tmp_path: Any) -> None:
    with PostgresServer() as server:
        database = Database(server.create_database("own"))
        async with database.engine.begin() as connection:
            await connection.run_sync(TableBase.metadata.create_all)
        for name in ("Li", "Du"):
            unit = UnitOfWork(database)
            unit.session.add(Author(name=name))
            await unit.commit()
            await unit.close()
            server.restart()
            # The loop sees the closed connections.
            await asyncio.sleep(0.1)
        assert len(await _stored(database, Author)) == 2
        await database.close()


@DIRECT
async def test_more_than_are_sent_together(database: Database, unit: UnitOfWork) -> None:
    with flushes(database) as begun:
        unit.session.add_all([Seat(row="A", number=number) for number in range(10)])
        await unit.commit()
    assert begun == []
    unit.session.add_all([Seat(row="B", number=number) for number in (*range(9), 8)])
    with pytest.raises(IntegrityError):
        await unit.commit()
    await unit.rollback()
    assert len(await _stored(database, Seat)) == 10

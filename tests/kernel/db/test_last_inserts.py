"""Rows that are inserted with the commit: in its transaction, after everything else, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import String, delete, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from tests.kernel.db.tables import Author, TableBase
from tests.kernel.db.test_insertion import WAITING
from xumi.kernel.db.engine import Database
from xumi.kernel.db.errors import translate
from xumi.kernel.db.session import UnitOfWork
from xumi.kernel.errors import APICode


class Diary(TableBase):
    """What is written last."""

    __tablename__ = "t_diary"

    entry: Mapped[str] = mapped_column(String(50), unique=True)


DIARY: Any = Diary.__table__


@pytest.fixture
async def unit(database: Database) -> AsyncIterator[UnitOfWork]:
    """A unit of work whose author is known to the database already, so that it needs the ORM's flush."""
    async with database.sessions.begin() as session:
        session.add(Author(id="1" * 26, name="Li"))
    unit = UnitOfWork(database)
    yield unit
    await unit.close()


async def _rename(unit: UnitOfWork, name: str) -> None:
    author = await unit.session.get_one(Author, "1" * 26)
    author.name = name


def _write_last(unit: UnitOfWork, *entries: str) -> None:
    for entry in entries:
        unit.insert_last(DIARY, {"id": entry * 26, "entry": entry})


async def _stored(database: Database) -> tuple[list[str], list[str]]:
    """The names of the authors, and what the diary says."""
    async with database.sessions() as session:
        names = await session.scalars(select(Author.name))
        entries = await session.scalars(select(Diary.entry).order_by(Diary.entry))
        return list(names), list(entries)


async def test_they_are_kept_with_what_was_changed(database: Database, unit: UnitOfWork) -> None:
    await _rename(unit, "Du")
    _write_last(unit, "a", "b")
    assert await _stored(database) == (["Li"], [])
    await unit.commit()
    assert await _stored(database) == (["Du"], ["a", "b"])
    # The connection remembers none of it.
    await _rename(unit, "Wang")
    await unit.commit()
    assert await _stored(database) == (["Wang"], ["a", "b"])


async def test_a_transaction_that_has_only_read_keeps_them(database: Database, unit: UnitOfWork) -> None:
    await unit.session.get_one(Author, "1" * 26)
    _write_last(unit, "a")
    await unit.commit()
    assert await _stored(database) == (["Li"], ["a"])


async def test_totals_hear_of_them_until_the_commit(database: Database, unit: UnitOfWork) -> None:
    totals, tables = database.read.totals, frozenset({DIARY.fullname})
    before = totals.version(tables)
    _write_last(unit, "a")
    await unit.flush()
    assert totals.version(tables) is None
    await unit.commit()
    assert totals.version(tables) not in (None, before)


async def test_they_see_what_was_changed_before(database: Database, unit: UnitOfWork) -> None:
    async with database.sessions.begin() as session:
        session.add(Diary(id="a" * 26, entry="a"))
    entry = await unit.session.get_one(Diary, "a" * 26)
    # As long as this is not written, the last one is refused.
    entry.entry = "z"
    unit.insert_last(DIARY, {"id": "b" * 26, "entry": "a"})
    await unit.commit()
    assert (await _stored(database))[1] == ["a", "z"]


async def test_one_that_is_refused_undoes_everything(database: Database, unit: UnitOfWork) -> None:
    await _rename(unit, "Du")
    _write_last(unit, "a", "a")
    with pytest.raises(IntegrityError):
        await unit.commit()
    # Whoever ignores that cannot commit the rest.
    with suppress(SQLAlchemyError):
        await unit.commit()
    await unit.rollback()
    assert await _stored(database) == (["Li"], [])
    await _rename(unit, "Wang")
    _write_last(unit, "b")
    await unit.commit()
    assert await _stored(database) == (["Wang"], ["b"])


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_lost_connection_leaves_nothing(database: Database, unit: UnitOfWork) -> None:
    await _rename(unit, "Du")
    await unit.session.flush()
    pid = await unit.session.scalar(select(func.pg_backend_pid()))
    _write_last(unit, "a")
    async with database.engine.connect() as connection:
        await connection.execute(select(func.pg_terminate_backend(pid)))
    with pytest.raises(DBAPIError) as caught:
        await unit.commit()
    told = translate(caught.value)
    assert told is not None
    assert told.code is APICode.DATABASE_UNAVAILABLE
    await unit.rollback()
    assert await _stored(database) == (["Li"], [])
    _write_last(unit, "b")
    await _rename(unit, "Wang")
    await unit.commit()
    assert await _stored(database) == (["Wang"], ["b"])


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_cancelled_commit_leaves_nothing(database: Database, unit: UnitOfWork) -> None:
    blocker = database.sessions()
    blocker.add(Diary(id="x" * 26, entry="a"))
    await blocker.flush()
    await _rename(unit, "Du")
    _write_last(unit, "a")
    task = asyncio.create_task(unit.commit())
    async with asyncio.timeout(5):
        while not await database.read.runner.fetch(WAITING):
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await unit.rollback()
    await blocker.rollback()
    await blocker.close()
    assert await _stored(database) == (["Li"], [])


async def test_the_log_of_statements_shows_them(url: str, caplog: pytest.LogCaptureFixture) -> None:
    database = Database(url, echo=True)
    unit = UnitOfWork(database)
    async with database.sessions.begin() as session:
        await session.execute(delete(Diary))
    with caplog.at_level("INFO", "sqlalchemy.engine"):
        await unit.session.execute(select(Diary))
        _write_last(unit, "a", "b")
        await unit.commit()
    assert sum("INSERT INTO t_diary" in record.getMessage() for record in caplog.records) == 1
    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Diary)) == 2
    await unit.close()
    await database.close()


async def test_a_savepoint_takes_its_own_along(database: Database, unit: UnitOfWork) -> None:
    locked: list[str] = []

    def ask(name: str) -> None:
        async def lock(_session: Any) -> None:
            locked.append(name)

        _write_last(unit, name)
        unit.lock_last(lock)

    ask("a")
    outer = await unit.session.begin_nested()
    ask("b")
    async with unit.session.begin_nested():
        ask("c")
    await outer.rollback()
    async with unit.session.begin_nested():
        ask("d")
        inner = await unit.session.begin_nested()
        ask("e")
        await inner.rollback()
        ask("f")
    await unit.commit()
    assert locked == ["a", "d", "f"]
    assert (await _stored(database))[1] == ["a", "d", "f"]


async def test_rows_for_a_lock_that_fails_are_forgotten(database: Database, unit: UnitOfWork) -> None:
    async def refuse(_session: Any) -> None:
        raise LookupError

    _write_last(unit, "a")
    unit.lock_last(refuse, takes_rows=True)
    with pytest.raises(LookupError):
        await unit.commit()
    await unit.rollback()
    _write_last(unit, "b")
    await unit.commit()
    assert (await _stored(database))[1] == ["b"]

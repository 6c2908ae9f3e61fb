"""Rows without entities: the session sends them when it would have sent an entity."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.kernel.db.tables import Author
from xumi.kernel.db.engine import Database
from xumi.kernel.db.row_session import add_row
from xumi.kernel.db.runner import Query
from xumi.kernel.db.session import UnitOfWork

AUTHOR: Any = Author.__table__
COUNT = select(func.count()).select_from(AUTHOR)


@pytest.fixture
async def unit(database: Database) -> AsyncIterator[UnitOfWork]:
    unit = UnitOfWork(database)
    yield unit
    await unit.close()


def _add(unit: UnitOfWork, *names: str) -> None:
    for name in names:
        add_row(unit.session, AUTHOR, {"id": name * 26, "name": name})


async def _stored(database: Database) -> list[str]:
    async with database.sessions() as session:
        return list(await session.scalars(select(AUTHOR.c.name).order_by(AUTHOR.c.name)))


async def test_a_commit_sends_them(database: Database, unit: UnitOfWork) -> None:
    _add(unit, "a", "b")
    assert unit.active
    assert await _stored(database) == []
    await unit.commit()
    assert await _stored(database) == ["a", "b"]
    # Once.
    await unit.commit()
    _add(unit, "c")
    await unit.commit()
    assert await _stored(database) == ["a", "b", "c"]


async def test_they_go_with_entities_and_what_comes_last(database: Database, unit: UnitOfWork) -> None:
    for turn, names in enumerate(("abc", "def")):
        unit.session.add(Author(id=names[0] * 26, name=names[0]))
        _add(unit, names[1])
        unit.insert_last(AUTHOR, {"id": names[2] * 26, "name": names[2]})
        if turn == 1:
            # An entity that is loaded and changed needs the ORM's flush.
            (await unit.session.get_one(Author, "a" * 26)).name = "x"
        await unit.commit()
    assert await _stored(database) == ["b", "c", "d", "e", "f", "x"]


async def test_the_next_statement_sees_them(database: Database, unit: UnitOfWork) -> None:
    _add(unit, "a")
    assert await unit.session.scalar(COUNT) == 1
    _add(unit, "b")
    found = await unit.runner.fetch(Query(f"SELECT count(*) FROM {AUTHOR.name}", ()))
    assert [tuple(row) for row in found] == [(2,)]
    assert (await unit.session.get_one(Author, "b" * 26)).name == "b"
    assert await _stored(database) == []


async def test_a_rollback_forgets_them(database: Database, unit: UnitOfWork) -> None:
    _add(unit, "a")
    await unit.rollback()
    await unit.session.execute(COUNT)
    _add(unit, "b")
    await unit.rollback()
    _add(unit, "c")
    await unit.session.close()
    _add(unit, "d")
    await unit.commit()
    assert await _stored(database) == ["d"]


async def test_a_savepoint_takes_its_own_along(database: Database, unit: UnitOfWork) -> None:
    _add(unit, "a")
    savepoint = await unit.session.begin_nested()
    _add(unit, "b")
    await savepoint.rollback()
    async with unit.session.begin_nested():
        _add(unit, "c")
    savepoint = await unit.session.begin_nested()
    _add(unit, "d")
    assert await unit.session.scalar(COUNT) == 3
    await savepoint.rollback()
    await unit.commit()
    assert await _stored(database) == ["a", "c"]

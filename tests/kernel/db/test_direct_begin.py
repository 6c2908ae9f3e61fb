"""Transactions that begin on the driver: SQLAlchemy's session takes them over, and whatever ends them gives the connection back."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from sqlalchemy import Table, event, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import QueuePool

from tests.kernel.db.tables import Author
from tests.kernel.db.test_direct import _NAMES, _RENAME, MARKS, STEPS, Marks, marks
from xumi.kernel.db.direct import begin, execute
from xumi.kernel.db.engine import Database
from xumi.kernel.db.row_session import RowSession, add_row
from xumi.kernel.db.session import UnitOfWork

pytestmark = pytest.mark.usefixtures("work", "marks")
__all__ = ["marks"]


@pytest.fixture
async def unit(database: Database) -> AsyncIterator[UnitOfWork]:
    """A unit of work, whose connection is back when it is closed."""
    unit = UnitOfWork(database)
    yield unit
    await unit.close()
    assert cast(QueuePool, database.engine.pool).checkedout() == 0


def _held(unit: UnitOfWork) -> RowSession:
    return cast(RowSession, unit.session.sync_session)


async def _rename(unit: UnitOfWork, mark: str, new: str) -> None:
    await execute(unit.session, _RENAME, {"mark": mark, "new": new})


async def test_the_session_takes_it_over(database: Database, unit: UnitOfWork, marks: Marks) -> None:
    await _rename(unit, "a", "one")
    assert unit.active
    assert _held(unit).stands_aside is (database.dialect == "postgresql")
    # An ordinary statement of the session is part of it, and a savepoint.
    found = await unit.session.scalar(select(MARKS.c.name).where(MARKS.c.key == "a"))
    assert found == "one"
    assert not _held(unit).stands_aside
    async with unit.session.begin_nested():
        await _rename(unit, "b", "two")
    savepoint = await unit.session.begin_nested()
    await _rename(unit, "b", "three")
    await savepoint.rollback()
    assert await marks() == {"a": ("A", 0), "b": ("B", 0)}
    await unit.commit()
    assert await marks() == {"a": ("one", 1), "b": ("two", 1)}


async def test_one_follows_another_in_a_session(database: Database, unit: UnitOfWork, marks: Marks) -> None:
    pool = cast(QueuePool, database.engine.pool)
    for number in range(3):
        await _rename(unit, "a", f"n{number}")
        await unit.commit()
        assert pool.checkedout() == 0
        await _rename(unit, "b", f"m{number}")
        await unit.rollback()
        assert not unit.active
        assert pool.checkedout() == 0
        await unit.session.execute(select(MARKS))
        await unit.commit()
    assert await marks() == {"a": ("n2", 3), "b": ("B", 0)}


async def test_what_it_has_written_is_undone_with_the_error_that_nobody_minded(
    unit: UnitOfWork, marks: Marks
) -> None:
    await _rename(unit, "a", "one")
    with pytest.raises(IntegrityError):
        await _rename(unit, "b", "one")
    if unit.session.get_bind().dialect.name == "postgresql":
        # The transaction is over, and who goes on in it is told.
        with pytest.raises(DBAPIError):
            await _rename(unit, "b", "two")
        with pytest.raises(DBAPIError):
            await unit.commit()
    await unit.rollback()
    assert await marks() == {"a": ("A", 0), "b": ("B", 0)}


@pytest.mark.parametrize("how", ["rollback", "close"])
async def test_it_can_be_given_up(unit: UnitOfWork, marks: Marks, how: str) -> None:
    await execute(unit.session, _NAMES, {"mark": "a"})
    await _rename(unit, "a", "one")
    await getattr(unit, how)()
    assert await marks() == {"a": ("A", 0), "b": ("B", 0)}


async def test_one_whose_session_is_closed_by_itself(database: Database, marks: Marks) -> None:
    async with database.sessions() as session:
        await execute(session, _RENAME, {"mark": "a", "new": "one"})
    assert (await marks())["a"] == ("A", 0)
    async with database.sessions.begin() as session:
        await execute(session, _RENAME, {"mark": "a", "new": "one"})
    assert (await marks())["a"] == ("one", 1)
    assert cast(QueuePool, database.engine.pool).checkedout() == 0


async def test_a_commit_that_is_cancelled_gives_the_connection_back(
    unit: UnitOfWork, marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _rename(unit, "a", "one")
    held = _held(unit)
    if not held.stands_aside:
        return
    assert held.direct is not None
    driver: Any = held.direct.connection.dbapi_connection
    began = asyncio.Event()

    async def hang(_queries: Any) -> None:
        began.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(type(driver), "commit_with", lambda _self, queries: hang(queries))
    task = asyncio.create_task(unit.commit())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    await unit.rollback()
    assert await marks() == {"a": ("A", 0), "b": ("B", 0)}


async def test_a_select_goes_with_the_begin(database: Database, unit: UnitOfWork, marks: Marks) -> None:
    can = database.dialect == "postgresql"
    assert await begin(unit.session, "SELECT FROM generate_series(1, 3)") == (3 if can else None)
    # It has begun.
    await _rename(unit, "a", "one")
    assert await begin(unit.session, "SELECT") is None
    await unit.commit()
    assert (await marks())["a"] == ("one", 1)
    if can:
        with pytest.raises(DBAPIError):
            await begin(unit.session, "SELECT 1 / 0")
        with pytest.raises(DBAPIError):
            await _rename(unit, "b", "two")
        await unit.rollback()
        await _rename(unit, "b", "three")
        await unit.commit()
        assert (await marks())["b"] == ("three", 1)


async def test_rows_go_with_a_change_that_takes_them(
    database: Database, unit: UnitOfWork, marks: Marks
) -> None:
    for number in (1, 2):
        add_row(unit.session, STEPS, {"id": number, "what": "x"})
    add_row(unit.session, cast(Table, Author.__table__), {"id": "1" * 26, "name": "Li"})
    statements: list[str] = []
    event.listen(
        database.engine.sync_engine, "before_cursor_execute", lambda *call: statements.append(call[2])
    )
    await execute(unit.session, _RENAME, {"mark": "a", "new": "one"}, takes_rows=True)
    assert _held(unit).rows == []
    if database.dialect == "postgresql":
        # What listeners are told of is the change alone.
        assert len(statements) == 1
    found = await unit.session.execute(
        select(STEPS.c.id, Author.name).join(Author, Author.name == "Li").order_by(STEPS.c.id)
    )
    assert [tuple(row) for row in found] == [(1, "Li"), (2, "Li")]
    await unit.commit()
    assert (await marks())["a"] == ("one", 1)


async def test_a_row_that_is_refused_takes_the_change_along(unit: UnitOfWork, marks: Marks) -> None:
    add_row(unit.session, STEPS, {"id": 1, "what": "x"})
    add_row(unit.session, MARKS, {"key": "b", "name": "two", "seen_at": 0})
    with pytest.raises(IntegrityError):
        await execute(unit.session, _RENAME, {"mark": "a", "new": "one"}, takes_rows=True)
    await unit.rollback()
    assert await marks() == {"a": ("A", 0), "b": ("B", 0)}

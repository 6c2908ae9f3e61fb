"""Statements on the driver inside a session's transaction: part of it, and its errors are SQLAlchemy's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import Column, Integer, String, Table, bindparam, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from tests.kernel.db.tables import Author, TableBase
from xumi.kernel.db.direct import execute
from xumi.kernel.db.engine import Database
from xumi.kernel.db.errors import translate
from xumi.kernel.db.session import UnitOfWork
from xumi.kernel.errors import APICode

pytestmark = pytest.mark.usefixtures("work")

MARKS = Table(
    "t_direct_mark",
    TableBase.metadata,
    Column("key", String(10), primary_key=True),
    Column("name", String(10), unique=True),
    Column("seen_at", Integer, onupdate=lambda: 7),
)
STEPS = Table(
    "t_direct_step",
    TableBase.metadata,
    Column("id", Integer, primary_key=True),
    Column("what", String(10)),
)
_NAMES = select(MARKS.c.name).where(MARKS.c.key == bindparam("mark")).with_for_update()
_RENAME = (
    update(MARKS)
    .where(MARKS.c.key == bindparam("mark"))
    .values(name=bindparam("new"), seen_at=MARKS.c.seen_at + 1)
)
_TOUCH = update(MARKS).where(MARKS.c.key == bindparam("mark")).values(name=bindparam("new"))
_ADD = insert(MARKS).values(key=bindparam("mark"), name=bindparam("new"), seen_at=0)


@pytest.fixture
async def marks(database: Database) -> Callable[[], Awaitable[dict[str, tuple[str, int]]]]:
    """Reads the marks that others see; there are two."""
    async with database.sessions.begin() as session:
        rows = [{"key": key, "name": key.upper(), "seen_at": 0} for key in ("a", "b")]
        await session.execute(insert(MARKS), rows)

    async def read() -> dict[str, tuple[str, int]]:
        async with database.sessions() as session:
            return {row.key: (row.name, row.seen_at) for row in await session.execute(select(MARKS))}

    return read


Marks = Callable[[], Awaitable[dict[str, tuple[str, int]]]]


async def test_it_is_part_of_the_transaction(database: Database, marks: Marks) -> None:
    work = UnitOfWork(database)
    work.session.add(Author(id="1" * 26, name="Li"))
    assert list(await execute(work.session, _RENAME, {"mark": "a", "new": "Du"})) == []
    assert [tuple(row) for row in await execute(work.session, _NAMES, {"mark": "a"})] == [("Du",)]
    # What the session held was sent before.
    assert await work.session.scalar(select(func.count()).select_from(Author.__table__)) == 1
    assert await work.session.scalar(select(MARKS.c.name).where(MARKS.c.key == "a")) == "Du"
    assert (await marks())["a"] == ("A", 0)
    await work.commit()
    assert (await marks())["a"] == ("Du", 1)
    await work.close()


async def test_what_python_adds_to_a_statement_is_added(database: Database, marks: Marks) -> None:
    work = UnitOfWork(database)
    await execute(work.session, _TOUCH, {"mark": "a", "new": "Du"})
    await execute(work.session, _ADD, {"mark": "c", "new": "C"})
    await work.commit()
    assert await marks() == {"a": ("Du", 7), "b": ("B", 0), "c": ("C", 0)}
    await work.close()


async def test_a_refusal_is_sqlalchemys_and_cannot_be_ignored(database: Database, marks: Marks) -> None:
    work = UnitOfWork(database)
    await execute(work.session, _RENAME, {"mark": "a", "new": "Du"})
    with pytest.raises(IntegrityError) as caught:
        await execute(work.session, _RENAME, {"mark": "b", "new": "Du"})
    told = translate(caught.value)
    assert told is not None
    assert told.code is APICode.DUPLICATE
    if database.dialect == "postgresql":
        # The others would keep what came before.
        with pytest.raises(SQLAlchemyError):
            await work.commit()
    await work.rollback()
    await execute(work.session, _RENAME, {"mark": "b", "new": "Wang"})
    await work.commit()
    assert await marks() == {"a": ("A", 0), "b": ("Wang", 1)}
    await work.close()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_lost_connection_is_replaced(database: Database, marks: Marks) -> None:
    work = UnitOfWork(database)
    ((pid,),) = await execute(work.session, select(func.pg_backend_pid()))
    async with database.engine.connect() as connection:
        await connection.execute(select(func.pg_terminate_backend(pid)))
    with pytest.raises(DBAPIError) as caught:
        await execute(work.session, _RENAME, {"mark": "a", "new": "Li"})
    told = translate(caught.value)
    assert told is not None
    assert told.code is APICode.DATABASE_UNAVAILABLE
    await work.rollback()
    await execute(work.session, _RENAME, {"mark": "a", "new": "Du"})
    await work.commit()
    assert (await marks())["a"] == ("Du", 1)
    await work.close()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_one_that_is_cancelled_leaves_connections_that_work(database: Database, marks: Marks) -> None:
    work = UnitOfWork(database)
    await execute(work.session, _RENAME, {"mark": "a", "new": "Li"})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await execute(work.session, select(func.pg_sleep(30)))
    await work.close()
    assert (await marks())["a"] == ("A", 0)
    for _ in range(2 * database.engine.pool.size()):  # type: ignore[attr-defined]
        again = UnitOfWork(database)
        assert len(await execute(again.session, select(func.pg_backend_pid()))) == 1
        await again.close()


async def test_locks_come_last_and_rows_in_their_order(database: Database) -> None:
    work = UnitOfWork(database)
    seen: list[list[str]] = []

    async def lock(session: Any) -> None:
        found = await execute(session, select(STEPS.c.what).order_by(STEPS.c.id))
        seen.append([row[0] for row in found])
        work.insert_last(STEPS, {"what": "locked"})

    async def hook(_: Any) -> None:
        work.insert_last(STEPS, {"what": "hook"})

    work.lock_last(lock)
    work.before_commit(hook)
    work.session.add(Author(id="1" * 26, name="Li"))
    for what in ("a", "b", "c"):
        work.insert_last(STEPS, {"what": what})
    await work.commit()
    assert seen == [["a", "b", "c", "hook"]]
    async with database.sessions() as session:
        assert list(await session.scalars(select(STEPS.c.what).order_by(STEPS.c.id))) == [*seen[0], "locked"]
    await work.close()


async def test_a_refusal_of_what_comes_last_undoes_everything(database: Database) -> None:
    work = UnitOfWork(database)

    async def refuse(_: Any) -> None:
        raise ConnectionError

    work.lock_last(refuse)
    work.insert_last(STEPS, {"what": "a"})
    with pytest.raises(ConnectionError):
        await work.commit()
    await work.rollback()
    await work.commit()
    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(STEPS)) == 0
    await work.close()


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
async def test_a_commit_without_a_flush_keeps_the_order_of_rows(database: Database) -> None:
    work = UnitOfWork(database)
    work.session.add(Author(id="1" * 26, name="Li"))
    for what in ("a", "b", "c"):
        work.insert_last(STEPS, {"what": what})
    await work.commit()
    async with database.sessions() as session:
        assert list(await session.scalars(select(STEPS.c.what).order_by(STEPS.c.id))) == ["a", "b", "c"]
    await work.close()

"""The unit of work: what is committed, what is not, and that no connection is lost."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tests.kernel.db.tables import Author, Seat
from xumi.kernel.context import Context, enter
from xumi.kernel.db.engine import Database
from xumi.kernel.db.errors import translate
from xumi.kernel.db.read import fetch_value
from xumi.kernel.db.session import UnitOfWork, retry_on_conflict, unit_of_work
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.testing.postgres import PostgresServer

COUNT = select(func.count()).select_from(Author)
# A reference that is checked by COMMIT.
LATE = "CREATE TABLE t_late (id INT PRIMARY KEY, up INT REFERENCES t_late (id) DEFERRABLE INITIALLY DEFERRED)"


def in_use(database: Database) -> int:
    """Connections that sessions hold now."""
    pool: Any = database.engine.pool
    return int(pool.checkedout())


async def test_a_block_commits_and_an_error_rolls_back(database: Database, work: Context) -> None:
    async with unit_of_work() as unit:
        unit.session.add(Author(name="a"))
        assert work.unit_of_work is unit
    assert work.unit_of_work is None

    async def fail() -> None:
        async with unit_of_work() as unit:
            unit.session.add(Author(name="b"))
            await unit.session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await fetch_value(COUNT) == 1
    assert in_use(database) == 0


async def test_hooks_before_the_commit_belong_to_the_transaction(work: Context) -> None:
    order: list[str] = []

    async def write(session: AsyncSession) -> None:
        order.append("before")
        session.add(Author(name="hook"))

    async def write_again(session: AsyncSession) -> None:
        assert await session.scalar(COUNT) == 1
        order.append("again")

    async def fail(session: AsyncSession) -> None:
        session.add(Author(name="lost"))
        raise ZeroDivisionError

    async with unit_of_work() as unit:
        unit.before_commit(write)
        unit.before_commit(write_again)
        unit.after_commit(lambda: order.append("after"))
        await unit.commit()
        await unit.commit()
    assert order == ["before", "again", "after"]
    async with unit_of_work() as unit:
        unit.before_commit(fail)
        await unit.rollback()
    with pytest.raises(ZeroDivisionError):
        await commit_with(fail)
    assert await fetch_value(COUNT) == 1


async def commit_with(hook: Callable[[AsyncSession], Awaitable[None]]) -> None:
    async with unit_of_work() as unit:
        unit.session.add(Author(name="lost"))
        unit.before_commit(hook)


async def test_reads_run_inside_an_open_transaction(work: Context) -> None:
    async with unit_of_work() as unit:
        assert await fetch_value(COUNT) == 0
        unit.session.add(Author(name="a"))
        assert await fetch_value(COUNT) == 1
        with enter(Context(work.resources, "other")):
            assert await fetch_value(COUNT) == 0
        await unit.rollback()
        assert await fetch_value(COUNT) == 0


async def test_hooks_run_after_a_commit_only(database: Database) -> None:
    calls: list[str] = []

    async def later() -> None:
        calls.append("async")

    unit = UnitOfWork(database)
    unit.after_commit(lambda: calls.append("rolled back"))
    await unit.rollback()
    unit.session.add(Author(name="a"))
    unit.after_commit(lambda: calls.append("sync"))
    unit.after_commit(later)
    await unit.commit()
    await unit.commit()
    unit.after_commit(lambda: calls.append("closed"))
    await unit.close()
    assert calls == ["sync", "async"]


async def test_rollback_and_close_may_be_repeated(database: Database) -> None:
    unit = UnitOfWork(database)
    await unit.rollback()
    await unit.close()
    unit.session.add(Author(name="a"))
    await unit.session.flush()
    for _ in range(2):
        await unit.rollback()
    for _ in range(2):
        await unit.close()
    assert in_use(database) == 0


async def test_a_failed_commit_is_an_error_and_keeps_nothing(database: Database, work: Context) -> None:
    first = UnitOfWork(database)
    first.session.add(Author(name="a"))
    await first.commit()
    called: list[int] = []
    second = UnitOfWork(database)
    second.session.add(Author(name="b"))
    second.session.add(Author(name="a"))
    second.after_commit(lambda: called.append(1))
    with pytest.raises(IntegrityError):
        await second.commit()
    await second.close()
    await first.close()
    assert await fetch_value(COUNT) == 1
    assert called == []


async def test_a_constraint_that_is_checked_at_commit_fails_the_commit(
    database: Database, work: Context
) -> None:
    if database.dialect == "mysql":
        return  # It checks every constraint at once.
    async with unit_of_work() as unit:
        await unit.session.execute(text("DROP TABLE IF EXISTS t_late"))
        await unit.session.execute(text(LATE))
    unit = UnitOfWork(database)
    await unit.session.execute(text("INSERT INTO t_late VALUES (1, 2)"))
    with pytest.raises(IntegrityError) as caught:
        await unit.commit()
    assert getattr(translate(caught.value), "code", None) is APICode.REFERENCED
    await unit.close()
    assert await fetch_value(select(func.count()).select_from(text("t_late"))) == 0


async def test_a_swallowed_error_cannot_turn_a_commit_into_a_rollback(
    database: Database, work: Context
) -> None:
    """PostgreSQL answers the COMMIT of a failed transaction with a rollback and no error."""
    async with unit_of_work() as unit:
        unit.session.add(Author(name="a"))
    unit = UnitOfWork(database)
    await unit.session.execute(text("INSERT INTO t_seat (id, row, number) VALUES ('1', 'a', 1)"))
    with pytest.raises(DBAPIError):
        await unit.session.execute(text("INSERT INTO t_seat (id, row, number) VALUES ('1', 'a', 1)"))
    if database.dialect == "postgresql":
        with pytest.raises(DBAPIError):
            await unit.commit()
    else:
        await unit.commit()
    await unit.close()
    expected = 0 if database.dialect == "postgresql" else 1
    assert await fetch_value(select(func.count()).select_from(Seat)) == expected


async def test_an_error_inside_a_savepoint_does_not_fail_the_commit(work: Context) -> None:
    async with unit_of_work() as unit:
        unit.session.add(Author(name="a"))
        await unit.session.flush()
        savepoint = await unit.session.begin_nested()
        unit.session.add(Author(name="a"))
        with pytest.raises(IntegrityError):
            await unit.session.flush()
        await savepoint.rollback()
        unit.session.add(Author(name="b"))
    assert await fetch_value(COUNT) == 2


async def test_a_transaction_that_sqlite_gave_up_cannot_be_committed(
    database: Database, work: Context
) -> None:
    if database.dialect != "sqlite":
        return
    unit = UnitOfWork(database)
    unit.session.add(Author(name="a"))
    await unit.session.flush()
    raw = await (await unit.session.connection()).get_raw_connection()
    driver: Any = raw.driver_connection
    await driver.execute("ROLLBACK")
    with pytest.raises(DBAPIError) as caught:
        await unit.commit()
    assert getattr(translate(caught.value), "code", None) is APICode.DATABASE_UNAVAILABLE
    await unit.close()
    assert await fetch_value(COUNT) == 0


@pytest.mark.parametrize("pause", [0, 1, 2, 3, 5, 8, 13])
async def test_a_cancelled_task_gives_its_connection_back(database: Database, pause: int) -> None:
    async def insert() -> None:
        unit = UnitOfWork(database)
        try:
            for number in range(1000):
                unit.session.add(Seat(row=str(pause), number=number))
                await unit.session.flush()
            await unit.commit()
        finally:
            await unit.close()

    task = asyncio.create_task(insert())
    for _ in range(pause * 3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(200):
        if in_use(database) == 0:
            break
        await asyncio.sleep(0.01)
    assert in_use(database) == 0
    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Seat)) == 0


async def test_a_lost_server_fails_the_commit_and_the_next_work_heals(postgresql: PostgresServer) -> None:
    server = PostgresServer()
    with server:
        database = Database(server.create_database("lost"))
        async with database.engine.begin() as connection:
            await connection.run_sync(Author.metadata.create_all)
        unit = UnitOfWork(database)
        unit.session.add(Author(name="a"))
        await unit.session.flush()
        server.kill()
        with pytest.raises(Exception) as caught:
            await unit.commit()
        assert getattr(translate(caught.value), "code", None) is APICode.DATABASE_UNAVAILABLE
        await unit.rollback()
        await unit.close()
        assert not await database.ping()
        with pytest.raises(Exception) as caught:
            await database.sessions().execute(select(1))
        error = translate(caught.value)
        assert error is not None
        assert error.code is APICode.DATABASE_UNAVAILABLE
        assert "Retry-After" in error.headers
        server.start()
        assert await database.ping()
        async with database.sessions() as session:
            assert await session.scalar(COUNT) == 0
        await database.close()


async def test_a_deadlock_is_retried_from_the_start(database: Database, work: Context) -> None:
    """Two transactions take two rows in opposite order; one is the victim and runs again."""
    async with unit_of_work() as unit:
        unit.session.add_all([Seat(row="a", number=1), Seat(row="b", number=1)])
    both_hold_one = asyncio.Barrier(2) if database.dialect != "sqlite" else None
    tries: list[str] = []

    async def move(first: str, second: str) -> None:
        met = False

        async def transaction(session: AsyncSession) -> None:
            nonlocal met
            tries.append(first)
            await _add(session, first)
            if both_hold_one is not None and not met:
                met = True
                await both_hold_one.wait()
            await _add(session, second)

        with enter(Context(work.resources, first)):
            await retry_on_conflict(transaction)

    await asyncio.gather(move("a", "b"), move("b", "a"))
    total = await fetch_value(select(func.sum(Seat.number)))
    assert total == 6
    assert len(tries) == (2 if database.dialect == "sqlite" else 3)


async def _add(session: AsyncSession, row: str) -> None:
    seat = (await session.scalars(select(Seat).where(Seat.row == row).with_for_update())).one()
    seat.number += 1
    await session.flush()


async def test_a_conflict_that_does_not_end_becomes_503(database: Database, work: Context) -> None:
    tries = 0

    async def transaction(session: AsyncSession) -> None:
        nonlocal tries
        tries += 1
        error = sqlite3.OperationalError("deadlock")
        error.sqlstate = "40P01"  # type: ignore[attr-defined]
        raise DBAPIError("x", None, error)

    with pytest.raises(APIException) as caught:
        await retry_on_conflict(transaction)
    assert (caught.value.code, tries) == (APICode.TRANSACTION_CONFLICT, 3)


async def test_other_errors_are_not_retried(work: Context) -> None:
    tries = 0

    async def transaction(session: AsyncSession) -> None:
        nonlocal tries
        tries += 1
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await retry_on_conflict(transaction)
    assert tries == 1


async def test_a_session_that_only_reads_takes_no_write_lock(database: Database, work: Context) -> None:
    async with database.sessions() as reading:
        await reading.execute(select(Author))
        async with unit_of_work() as unit:
            unit.session.add(Author(name="a"))
        await reading.execute(select(Author))
    assert await fetch_value(COUNT) == 1


async def test_for_update_keeps_others_out(database: Database, work: Context) -> None:
    """A counter that many read and write back at once loses no step."""
    async with unit_of_work() as unit:
        unit.session.add(Seat(row="a", number=0))

    async def add() -> None:
        async with database.sessions() as session:
            await _add(session, "a")
            await session.commit()

    await asyncio.gather(*[add() for _ in range(30)])
    assert await fetch_value(select(Seat.number)) == 30


async def test_many_writers_all_get_their_turn(database: Database, work: Context) -> None:
    async def write(number: int) -> None:
        async with database.sessions() as session:
            session.add(Seat(row="a", number=number))
            await session.commit()

    await asyncio.gather(*[write(number) for number in range(100)])
    assert await fetch_value(select(func.count()).select_from(Seat)) == 100


async def test_reads_side_by_side_take_turns_inside_a_transaction(work: Context) -> None:
    async with unit_of_work() as unit:
        unit.session.add(Author(name="a"))
        assert await asyncio.gather(*[fetch_value(COUNT) for _ in range(10)]) == [1] * 10


async def test_a_failed_commit_leaves_nothing_behind_on_its_connection(
    database: Database, work: Context
) -> None:
    """SQLAlchemy believes that a COMMIT which failed ended the transaction, and puts the connection back as it is."""
    if database.dialect == "mysql":
        return  # It checks every constraint at once.
    async with unit_of_work() as unit:
        await unit.session.execute(text("DROP TABLE IF EXISTS t_late"))
        await unit.session.execute(text(LATE))
    for _ in range(10):
        unit = UnitOfWork(database)
        unit.session.add(Author(name="never kept"))
        await unit.session.flush()
        await unit.session.execute(text("INSERT INTO t_late VALUES (1, 2)"))
        with pytest.raises(IntegrityError):
            await unit.commit()
        await unit.close()
    async with unit_of_work() as unit:
        unit.session.add(Author(name="kept"))
    assert await fetch_value(COUNT) == 1


async def test_closing_inside_a_cancelled_scope_is_finished_in_the_background(
    url: str, database: Database
) -> None:
    """There every `await` is cancelled anew; the connection goes back all the same, and is not thrown away."""
    single = Database(url, pool_size=2)
    unit = UnitOfWork(single)
    unit.session.add(Author(name="a"))
    await unit.session.flush()
    driver = (await (await unit.session.connection()).get_raw_connection()).driver_connection
    with anyio.CancelScope() as scope:
        scope.cancel()
        await unit.close()
    async with single.sessions() as session:
        again = (await (await session.connection()).get_raw_connection()).driver_connection
        assert again is driver
        assert await session.scalar(COUNT) == 0
    assert in_use(single) == 0
    await single.close()


async def test_hooks_before_the_commit_are_part_of_the_transaction(database: Database, work: Context) -> None:
    del work
    unit = UnitOfWork(database)

    async def add_one_more(session: AsyncSession) -> None:
        session.add(Author(name="by the last hook"))

    async def add(session: AsyncSession) -> None:
        session.add(Author(name="by a hook"))
        unit.before_commit(add_one_more)

    async def fail(session: AsyncSession) -> None:
        session.add(Author(name="by a hook that fails"))
        raise ZeroDivisionError

    unit.before_commit(add)
    await unit.rollback()
    await unit.commit()
    assert await fetch_value(COUNT) == 0
    unit.before_commit(add)
    await unit.commit()
    assert await fetch_value(COUNT) == 2
    unit.before_commit(fail)
    with pytest.raises(ZeroDivisionError):
        await unit.commit()
    await unit.close()
    assert await fetch_value(COUNT) == 2
    assert in_use(database) == 0

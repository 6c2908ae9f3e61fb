"""What each error of a database means to the caller."""

import asyncio
import sqlite3
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError

from tests.kernel.db.tables import Author, Book, Color, Seat
from xumi.kernel.context import Context
from xumi.kernel.db.engine import Database
from xumi.kernel.db.errors import DatabaseUnavailable, is_retryable, translate
from xumi.kernel.db.read import fetch_value
from xumi.kernel.errors import APICode, APIException, ErrorCode


async def failure(database: Database, *objects: Any) -> APIException | None:
    """What writing these comes to."""
    async with database.sessions() as session:
        session.add_all(objects)
        try:
            await session.commit()
        except Exception as error:
            return translate(error)
    raise AssertionError("it was written")


def book(**values: Any) -> Book:
    """A book that can be written but for these values."""
    return Book(**({"title": "t", "color": Color.RED} | values))


async def test_a_duplicate_names_its_columns(database: Database, work: Context) -> None:
    error = await failure(database, Author(name="a"), Author(name="a"))
    assert error is not None
    assert (error.code, [field.field for field in error.errors]) == (APICode.DUPLICATE, ["name"])
    error = await failure(database, Seat(row="a", number=1), Seat(row="a", number=1))
    assert error is not None
    assert [field.field for field in error.errors] == ["row", "number"]


async def test_what_refers_and_is_referred_to(database: Database, work: Context) -> None:
    error = await failure(database, book(author_id="nobody"))
    assert error is not None
    assert error.code is APICode.REFERENCED
    async with database.sessions() as session:
        session.add(Author(id="a", name="a"))
        await session.flush()
        session.add(book(author_id="a"))
        await session.commit()
        with pytest.raises(DBAPIError) as caught:
            await session.execute(delete(Author))
    error = translate(caught.value)
    assert error is not None
    assert error.code is APICode.REFERENCED


@pytest.mark.parametrize(
    "values",
    [{"title": "x" * 101}, {"title": "a\0b"}, {"price": Decimal(10) ** 15}, {"pages": 2**70}],
)
async def test_a_value_that_does_not_fit_is_no_bug_of_ours(
    database: Database, work: Context, values: dict[str, Any]
) -> None:
    if database.dialect == "sqlite" and "pages" not in values:
        return  # SQLite takes them
    if database.dialect == "mysql" and values.get("title") == "a\0b":
        return  # MySQL takes it
    error = await failure(database, book(**values))
    assert error is not None
    assert error.code is APICode.VALIDATION_FAILED


async def test_a_number_that_does_not_fit_in_a_filter(database: Database, work: Context) -> None:
    if database.dialect == "mysql":
        assert await fetch_value(select(Book.id).where(Book.pages == 2**70)) is None
        return
    with pytest.raises(Exception) as caught:
        await fetch_value(select(Book.id).where(Book.pages == 2**70))
    error = translate(caught.value)
    assert error is not None
    assert error.code is APICode.VALIDATION_FAILED


async def test_a_missing_value_and_bad_sql_are_bugs(database: Database, work: Context) -> None:
    assert await failure(database, book(title=None)) is None
    assert await failure(database, book(pages=-1)) is None
    with pytest.raises(Exception) as caught:
        await fetch_value(text("SELECT nothing FROM nowhere").columns(Book.id))
    assert translate(caught.value) is None


async def test_a_lock_that_is_not_given_is_503(url: str, database: Database) -> None:
    impatient = Database(url)
    async with database.sessions() as holder, impatient.sessions() as waiter:
        holder.add(Author(id="a", name="a"))
        await holder.flush()
        short = {
            "sqlite": "PRAGMA busy_timeout=50",
            "postgresql": "SET LOCAL lock_timeout = '50ms'",
            "mysql": "SET innodb_lock_wait_timeout = 1",
        }
        await waiter.execute(text(short[database.dialect]))
        with pytest.raises(Exception) as caught:
            await waiter.execute(insert(Author), {"id": "a", "name": "a"})
    await impatient.close()
    error = translate(caught.value)
    assert error is not None
    assert error.code.status == 503
    assert error.headers == {"Retry-After": "1"}


async def test_a_statement_that_takes_too_long_is_503(database: Database, work: Context) -> None:
    if database.dialect == "sqlite":
        return
    slow = {
        "postgresql": ("SET LOCAL statement_timeout = '20ms'", "SELECT pg_sleep(5)"),
        "mysql": ("SET max_statement_time = 0.02", "SELECT sleep(5)"),
    }
    limit, query = slow[database.dialect]
    other = Database(str(database.url.render_as_string(hide_password=False)))
    async with other.sessions() as session:
        await session.execute(text(limit))
        with pytest.raises(DBAPIError) as caught:
            await session.execute(text(query))
    await other.close()
    error = translate(caught.value)
    assert error is not None
    assert error.code is APICode.DATABASE_UNAVAILABLE


async def test_a_server_that_cannot_be_had_is_503() -> None:
    for url in ("postgresql://nobody@127.0.0.1:1/nothing", "postgresql://nobody:secret@localhost:1/nothing"):
        database = Database(url)
        assert not await database.ping()
        with pytest.raises(DatabaseUnavailable) as caught:
            await database.read.ping()
        assert "secret" not in str(caught.value)
        with pytest.raises(DatabaseUnavailable) as caught:
            await database.sessions().execute(select(1))
        assert getattr(translate(caught.value), "code", None) is APICode.DATABASE_UNAVAILABLE
        await database.close()


async def test_a_refused_login_or_a_missing_database_is_503(database: Database) -> None:
    if database.dialect == "sqlite":
        return
    other = Database(str(database.url.set(database="there_is_none")))
    with pytest.raises(Exception) as caught:
        await other.read.ping()
    assert getattr(translate(caught.value), "code", None) is APICode.DATABASE_UNAVAILABLE
    await other.close()


async def test_a_full_pool_is_503(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Database(str(database.url), pool_size=2)
    pool: Any = small.engine.pool
    monkeypatch.setattr(pool, "_timeout", 0.05)
    async with small.sessions() as first, small.sessions() as second:
        await first.execute(select(1))
        with pytest.raises(PoolTimeoutError) as caught:
            await second.execute(select(1))
    assert getattr(translate(caught.value), "code", None) is APICode.DATABASE_UNAVAILABLE
    await small.close()


def driver_error(*arguments: Any, sqlstate: str | None = None) -> DBAPIError:
    """An error as SQLAlchemy wraps it."""
    error = sqlite3.OperationalError(*arguments)
    if sqlstate is not None:
        error.sqlstate = sqlstate  # type: ignore[attr-defined]
    return DBAPIError("statement", None, error)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (driver_error("x", sqlstate="40001"), APICode.TRANSACTION_CONFLICT),
        (driver_error("x", sqlstate="40P01"), APICode.TRANSACTION_CONFLICT),
        (driver_error("x", sqlstate="55P03"), APICode.TRANSACTION_CONFLICT),
        (driver_error("x", sqlstate="57P01"), APICode.DATABASE_UNAVAILABLE),
        (driver_error("x", sqlstate="53300"), APICode.DATABASE_UNAVAILABLE),
        (driver_error("x", sqlstate="42P01"), None),
        (driver_error(1213, "Deadlock found"), APICode.TRANSACTION_CONFLICT),
        (driver_error(1062, "Duplicate entry 'a' for key 't_author.uq_t_author_name'"), APICode.DUPLICATE),
        (driver_error(1451, "Cannot delete"), APICode.REFERENCED),
        (driver_error(2013, "Lost connection"), APICode.DATABASE_UNAVAILABLE),
        (driver_error(1054, "Unknown column"), None),
        (driver_error("database or disk is full"), APICode.DATABASE_UNAVAILABLE),
        (driver_error("attempt to write a readonly database"), APICode.DATABASE_UNAVAILABLE),
        (sqlite3.OperationalError("database is locked"), APICode.DATABASE_UNAVAILABLE),
        (StaleDataError("1 row expected"), APICode.CONFLICT),
        (DatabaseUnavailable("x"), APICode.DATABASE_UNAVAILABLE),
        (OverflowError("other"), None),
        (ValueError("database is locked"), None),
        (asyncio.CancelledError(), None),
        (KeyError(1062), None),
    ],
)
def test_known_errors(error: BaseException, code: ErrorCode | None) -> None:
    translated = translate(error)
    assert (translated.code if translated is not None else None) is code
    assert is_retryable(error) is (code is APICode.TRANSACTION_CONFLICT)
    if code is not None:
        assert ("Retry-After" in translate(error).headers) is (code.status == 503)  # type: ignore[union-attr]

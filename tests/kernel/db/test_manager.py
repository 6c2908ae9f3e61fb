"""`DatabaseManager` in both forms."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from tests.kernel.db.tables import Author, Book, Color
from xumi.kernel.config import Settings, use
from xumi.kernel.context import Context, enter
from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.engine import Database
from xumi.kernel.db.read import fetch_value
from xumi.kernel.db.session import DatabaseManager

COUNT = select(func.count()).select_from(Author)


@pytest.fixture
def configured(url: str, database: Database) -> Iterator[str]:
    """`DATABASE_URL` names the database; nothing runs."""
    use(Settings(app_env="test", database_url=url))
    yield url
    use(None)


def in_thread(function: Any) -> Any:
    """Call a function where no event loop runs."""
    return asyncio.to_thread(function)


async def test_the_plain_form_commits_at_the_end_and_in_between(configured: str) -> None:
    def script() -> None:
        with DatabaseManager() as db:
            db.add(Author(id="a", name="a", active=True))
            db.commit()
            author = db.scalars(select(Author)).one()
            author.name = "changed"
            db.add(Book(title="t", color=Color.DARK_BLUE, author_id="a", data={"x": 1}))
        with DatabaseManager() as db:
            book = db.scalars(select(Book)).one()
            assert (book.color, book.data, book.created_at.tzinfo is not None) == (
                Color.DARK_BLUE,
                {"x": 1},
                True,
            )
            db.delete(book)
            db.delete(db.get_one(Author, "a"))
            assert db.scalar(COUNT) == 0
        with DatabaseManager() as db:
            assert db.scalar(COUNT) == 0

    await in_thread(script)


async def test_the_plain_form_rolls_back_on_an_error(configured: str) -> None:
    def fail() -> None:
        with DatabaseManager() as db:
            db.add(Author(name="b"))
            db.flush()
            raise KeyError

    def collide() -> None:
        with DatabaseManager() as db:
            db.add_all([Author(name="a"), Author(name="a")])

    for function, error in ((fail, KeyError), (collide, IntegrityError)):
        with pytest.raises(error):
            await in_thread(function)

    def count() -> int | None:
        with DatabaseManager() as db:
            return db.scalar(COUNT)

    assert await in_thread(count) == 0


async def test_many_threads_may_use_the_plain_form(configured: str) -> None:
    def write(number: int) -> None:
        with DatabaseManager() as db:
            db.add(Author(name=f"a{number}"))

    await asyncio.gather(*[asyncio.to_thread(write, number) for number in range(20)])
    async with DatabaseManager() as db:
        assert await db.scalar(COUNT) == 20


async def test_the_plain_form_refuses_to_block_a_running_loop(configured: str) -> None:
    with pytest.raises(RuntimeError, match="use `async with DatabaseManager"), DatabaseManager():
        pass


async def test_the_async_form_commits_and_rolls_back(configured: str) -> None:
    async with DatabaseManager() as db:
        db.add(Author(name="a"))
        await db.commit()
        db.add(Author(name="b"))

    async def fail() -> None:
        async with DatabaseManager() as db:
            db.add(Author(name="c"))
            await db.flush()
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    async with DatabaseManager() as db:
        assert await db.scalar(COUNT) == 2


async def test_inside_a_piece_of_work_its_database_is_used(work: Context) -> None:
    use(Settings(app_env="test", database_url="sqlite:////nowhere/at/all.db"))
    async with DatabaseManager() as db:
        db.add(Author(name="a"))
        assert await fetch_value(COUNT) == 1
    assert await fetch_value(COUNT) == 1

    def script() -> int | None:
        with enter(work), DatabaseManager() as db:
            return db.scalar(COUNT)

    assert await in_thread(script) == 1
    use(None)


async def test_a_database_that_is_away_is_said_so_by_the_plain_form(tmp_path: Path) -> None:
    from xumi.kernel.db.errors import DatabaseUnavailable
    from xumi.kernel.db.location import parse_url

    engine = sync_engine(parse_url("postgresql://nobody@127.0.0.1:1/nothing")[1])
    with pytest.raises(DatabaseUnavailable):
        await asyncio.to_thread(engine.connect)

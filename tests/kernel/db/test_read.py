"""Reads: what comes back, how it is encoded, and that nothing is compiled, kept or waited for in vain."""

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import Select, bindparam, case, func, literal, or_, select, text, tuple_, union_all
from sqlalchemy.orm import aliased

from tests.kernel.db.library import (
    BOOKS,
    AuthorOut,
    BookCover,
    BookLoud,
    BookOut,
    BookShort,
    BookStrict,
    BookTagged,
    make_books,
)
from tests.kernel.db.tables import Author, Book, Color
from xumi.kernel.db import read
from xumi.kernel.db.engine import Database
from xumi.kernel.db.read import Reader, RowPlan, fetch_all, fetch_one, fetch_value, get_one
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.schema import SchemaBase


def encode(items: list[Any]) -> Any:
    """What a client would get."""
    if items and isinstance(items[0], BaseModel):
        return [json.loads(item.model_dump_json(by_alias=True)) for item in items]
    return json.loads(msgspec.json.encode(items))


async def expected(database: Database, statement: Any, schema: type[BaseModel]) -> Any:
    """The same by the book: an ORM session, pydantic's validation and its JSON."""
    async with database.sessions() as session:
        result = await session.execute(statement)
        rows = [row[0] if len(row) == 1 and hasattr(row[0], "__table__") else row for row in result.all()]
        models = [schema.model_validate(row) for row in rows]
    return json.loads(TypeAdapter(list[schema]).dump_json(models, by_alias=True))  # type: ignore[valid-type]


@pytest.mark.parametrize("schema", [BookOut, BookShort, BookLoud, BookCover, BookTagged])
async def test_every_schema_gets_what_pydantic_would_give(books: Database, schema: type[BaseModel]) -> None:
    statement = select(Book).order_by(Book.id)
    items = await fetch_all(statement, schema)
    assert encode(items) == await expected(books, statement, schema)


@pytest.mark.parametrize("seed", range(6))
async def test_generated_queries_answer_as_a_plain_session_does(books: Database, seed: int) -> None:
    """300 shapes over all column types; each is used twice with different values."""
    for number in range(50):
        for chance in (random.Random(f"{seed} {number}"), random.Random(f"{seed} {number}")):
            statement = _random_statement(chance, random.Random(f"{seed} {number} {chance.random()}"))
            items = await fetch_all(statement, BookOut)
            assert encode(items) == await expected(books, statement, BookOut)


def _random_statement(shape: random.Random, values: random.Random) -> Select[Any]:
    conditions: list[Callable[[], Any]] = [
        lambda: Book.title == values.choice(["a_b3", "50% off1", "須彌山2"]),
        lambda: Book.color == values.choice(list(Color)),
        lambda: Book.color.in_(values.sample(list(Color), values.randrange(3))),
        lambda: Book.pages.in_(values.sample(range(6), values.randrange(6))),
        lambda: Book.pages.between(values.randrange(3), values.randrange(3, 6)),
        lambda: Book.price > Decimal(values.randrange(-300, 300)) / 100,
        lambda: Book.weight < values.choice([0.5, 2.0]),
        lambda: Book.public.is_(values.random() < 0.5),
        lambda: Book.printed_on.is_(None),
        lambda: Book.sold_at.is_not(None),
        lambda: Book.created_at >= make_books(1, values.randrange(5))[0].created_at,
        lambda: Book.title.icontains(values.choice(["a", "%", "_", "\\", "須"]), autoescape=True),
        lambda: Book.code.in_([book.code for book in make_books(5, values.randrange(1, 3)) if book.code]),
        lambda: Book.opens == make_books(3, values.randrange(5))[2].opens,
        lambda: tuple_(Book.color, Book.public).in_([(values.choice(list(Color)), values.random() < 0.5)]),
        lambda: or_(Book.pages == values.randrange(3), Book.summary == values.choice(["short", "long"])),
        lambda: Book.author_id.in_(select(Author.id).where(Author.name <= f"author {values.randrange(4)}")),
        lambda: func.coalesce(Book.pages, values.randrange(3)) > values.randrange(4),
        lambda: case((Book.public, Book.pages), else_=values.randrange(4)) == values.randrange(3),
    ]
    statement = select(Book).where(
        *[condition() for condition in shape.sample(conditions, shape.randrange(4))]
    )
    if shape.random() < 0.3:
        statement = statement.join(Author, Author.id == Book.author_id).where(
            Author.active.is_(values.random() < 0.5)
        )
    orders = [Book.title, Book.pages.desc(), Book.price, Book.created_at.desc(), Book.color, Book.weight]
    statement = statement.order_by(*shape.sample(orders, shape.randrange(3)), Book.id)
    if shape.random() < 0.5:
        statement = statement.limit(values.randrange(1, 30)).offset(values.randrange(5))
    return statement


async def test_rows_have_the_attributes_of_the_schema(books: Database) -> None:
    [first] = await fetch_all(select(Book).where(Book.id == f"B{1:025}"), BookShort)
    assert first.title == make_books(2)[1].title
    assert (first.note, first.marks) == ("none", [])
    assert encode([first])[0].keys() == {"authorId", "title", "note", "marks"}


async def test_labels_joins_and_aggregates(books: Database) -> None:
    statement = (
        select(Author.id, Author.name, func.count(Book.id).label("books"))
        .outerjoin(Book, Book.author_id == Author.id)
        .group_by(Author.id)
        .order_by(Author.name)
    )
    items = await fetch_all(statement, AuthorOut)
    assert encode(items) == await expected(books, statement, AuthorOut)
    assert items[-1].books == 0


async def test_aliases_unions_and_subqueries(books: Database) -> None:
    writer = aliased(Author, name="writer")
    joined = select(writer).join(Book, Book.author_id == writer.id).where(Book.pages == 1).order_by(writer.id)
    assert encode(await fetch_all(joined, AuthorOut)) == await expected(books, joined, AuthorOut)
    active = select(Author.id, Author.name).where(Author.active)
    union = union_all(active, select(Author.id, Author.name).where(Author.name == "author 1")).order_by("id")
    assert encode(await fetch_all(union, AuthorOut)) == await expected(books, union, AuthorOut)
    inner = active.subquery()
    nested = select(inner.c.id, inner.c.name, literal(7).label("books")).order_by(inner.c.id)
    assert encode(await fetch_all(nested, AuthorOut)) == await expected(books, nested, AuthorOut)


async def test_a_sum_has_the_type_of_the_schema(books: Database) -> None:
    """PostgreSQL adds integers up to a decimal, which would be written as a text."""

    class Total(SchemaBase):
        pages: int
        mean: float

    statement = select(func.sum(Book.pages).label("pages"), func.avg(Book.pages).label("mean"))
    [total] = await fetch_all(statement, Total)
    assert encode([total]) == await expected(books, statement, Total)
    assert type(total.pages) is int


async def test_an_outer_join_may_leave_columns_empty(books: Database) -> None:
    class Pair(SchemaBase):
        title: str
        name: str

    statement = select(Book.title, Author.name).outerjoin(Author, Author.id == Book.author_id)
    with pytest.raises(TypeError, match=r"Pair\.name: the database gave None"):
        await fetch_all(statement, Pair)


async def test_a_value_that_the_schema_forbids_is_an_error_that_names_it(books: Database) -> None:
    with pytest.raises(TypeError, match=r"BookStrict\.pages: the database gave None"):
        await fetch_all(select(Book), BookStrict)
    filled = select(Book).where(Book.pages.is_not(None), Book.weight == 3.0)
    assert encode(await fetch_all(filled, BookStrict)) == await expected(books, filled, BookStrict)


async def test_a_field_without_a_column_is_an_error_that_names_it(books: Database) -> None:
    with pytest.raises(TypeError, match=r"AuthorOut\.name has no column .* which gives id"):
        await fetch_all(select(Author.id), AuthorOut)


async def test_one_value_and_none(books: Database) -> None:
    assert await fetch_value(select(func.count()).select_from(Book)) == BOOKS
    assert await fetch_value(select(Book.color).order_by(Book.id)) is make_books(1)[0].color
    assert await fetch_value(select(Book.id).where(Book.id == "x")) is None
    assert await fetch_one(select(Author).where(Author.id == "x"), AuthorOut) is None
    with pytest.raises(APIException) as caught:
        await get_one(select(Author).where(Author.id == "x"), AuthorOut)
    assert caught.value.code is APICode.NOT_FOUND
    assert (await get_one(select(Author).where(Author.name == "author 2"), AuthorOut)).name == "author 2"


async def test_parameters_by_name(books: Database) -> None:
    statement = select(Author).where(Author.name == bindparam("name"))
    for number in (1, 2):
        [author] = await fetch_all(statement.params(name=f"author {number}"), AuthorOut)
        assert author.name == f"author {number}"


async def test_text_with_columns(books: Database) -> None:
    statement = text("SELECT id, name FROM t_author ORDER BY id").columns(Author.id, Author.name)
    assert [author.name for author in await fetch_all(statement, AuthorOut)] == [
        f"author {n}" for n in range(5)
    ]


async def test_only_the_columns_of_the_schema_are_read(books: Database) -> None:
    plan, _ = books.read.row_plan(select(Book), BookShort)
    assert "cover" not in plan.shape.compiled.string
    assert "summary" not in plan.shape.compiled.string
    distinct, _ = books.read.row_plan(select(Book.title, Book.author_id, Book.pages).distinct(), BookShort)
    assert "pages" in distinct.shape.compiled.string


async def test_a_shape_is_compiled_once(books: Database) -> None:
    plans = [books.read.row_plan(select(Book).where(Book.pages == n), BookShort) for n in range(3)]
    assert len({id(plan) for plan, _ in plans}) == 1
    assert [plan.shape.query(values, {}).arguments for plan, values in plans] == [(0,), (1,), (2,)]


async def test_lists_of_every_length_share_a_shape(books: Database) -> None:
    for length in (0, 1, 3, 2, 3, 0):
        wanted = [f"B{n:025}" for n in range(length)]
        assert [
            b.title
            for b in await fetch_all(select(Book).where(Book.id.in_(wanted)).order_by(Book.id), BookShort)
        ] == [book.title for book in make_books(length)]


async def test_the_number_of_plans_is_bounded(books: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_PLANS", 10)
    reader = Reader(books.read.dialect, books.read.runner)

    def plan(number: int) -> RowPlan:
        reader.row_plan(select(Author), AuthorOut)
        return reader.row_plan(select(Author).order_by(text(f"id LIMIT {number}")), AuthorOut)[0]

    plans = [plan(number) for number in range(30)]
    assert len(reader._plans) == 10
    assert plan(29) is plans[29]
    assert plan(1) is not plans[1]


async def test_the_loop_does_not_wait_for_a_slow_query(books: Database) -> None:
    slow = asyncio.create_task(fetch_value(_slow(books)))
    await asyncio.sleep(0.05)
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert not slow.done()
    assert await fetch_value(select(func.count()).select_from(Book)) == BOOKS
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow


async def test_a_cancelled_query_stops_and_its_connection_serves_on(books: Database) -> None:
    started = time.monotonic()
    for _ in range(12):
        task = asyncio.create_task(fetch_value(_slow(books)))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    counts = await asyncio.gather(*[fetch_value(select(func.count()).select_from(Book)) for _ in range(40)])
    assert counts == [BOOKS] * 40
    assert time.monotonic() - started < 30


def _slow(database: Database) -> Any:
    """Several minutes of work for the database."""
    if database.dialect == "postgresql":
        return select(func.pg_sleep(300))
    if database.dialect == "mysql":
        return select(func.sleep(300))
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10000000000) SELECT max(x) FROM n"
    return text(numbers).columns(Book.pages)


async def test_readers_are_read_only_on_sqlite(books: Database) -> None:
    if books.dialect == "sqlite":
        with pytest.raises(Exception, match="readonly"):
            await fetch_value(text("DELETE FROM t_book").columns(Book.id))


async def test_a_schema_change_while_running_is_noticed(books: Database) -> None:
    class Changing(SchemaBase):
        id: int
        value: str | None

    statement = text("SELECT * FROM t_changing").columns(Book.pages.label("id"), Book.summary.label("value"))
    ddl = ["DROP TABLE IF EXISTS t_changing", "CREATE TABLE t_changing (id INT, value VARCHAR(5))"]
    await _run(books, *ddl, "INSERT INTO t_changing VALUES (1, 'a')")
    for _ in range(12):
        assert await fetch_value(statement) == 1
    await _run(books, "DROP TABLE t_changing", "CREATE TABLE t_changing (id BIGINT, value TEXT)")
    await _run(books, "INSERT INTO t_changing VALUES (5000000000, 'b')")
    counts = await asyncio.gather(*[fetch_value(statement) for _ in range(12)])
    assert counts == [5_000_000_000] * 12


async def _run(database: Database, *statements: str) -> None:
    async with database.engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def test_many_reads_at_once(books: Database) -> None:
    async def read(number: int) -> str:
        return (await get_one(select(Author).where(Author.name == f"author {number % 5}"), AuthorOut)).name

    assert await asyncio.gather(*[read(n) for n in range(200)]) == [f"author {n % 5}" for n in range(200)]


async def test_closing_ends_the_threads(url: str) -> None:
    before = set(threading.enumerate())
    database = Database(url)
    assert await database.ping()
    opened = set(threading.enumerate()) - before
    await database.close()
    await database.close()
    assert [thread for thread in opened if thread.is_alive()] == []
    assert len(opened) == (4 if database.dialect == "sqlite" else 0)


async def test_of_many_rows_only_the_first_is_fetched(books: Database) -> None:
    plan, values = books.read.row_plan(select(Book.id).order_by(Book.id), None, first=True)
    rows = await books.read.runner.fetch(plan.shape.query(values, {}))
    assert [list(row) for row in rows] == [[f"B{0:025}"]]
    assert (await get_one(select(Author).order_by(Author.name.desc()), AuthorOut)).name == "author 4"
    assert (await get_one(select(Author).order_by(Author.name).limit(3), AuthorOut)).name == "author 0"


async def test_a_statement_made_once_takes_its_values_at_each_run(books: Database) -> None:
    statement = select(Book).where(
        Book.pages > bindparam("pages"), Book.color.in_(bindparam("colors", expanding=True))
    )
    for pages, colors in ((10, [Color.RED]), (100, [Color.RED, Color.DARK_BLUE]), (10, [Color.DARK_BLUE])):
        given = {"pages": pages, "colors": colors}
        found = await fetch_all(statement.order_by(Book.id), BookOut, given)
        plain = select(Book).where(Book.pages > pages, Book.color.in_(colors)).order_by(Book.id)
        assert encode(found) == await expected(books, plain, BookOut)
    one = select(Book.title).where(Book.title == bindparam("title"))
    titles = [row.title for row in await fetch_all(select(Book).limit(5), BookShort)]
    assert [await fetch_value(one, {"title": title}) for title in titles] == titles


async def test_a_value_in_the_statement_is_not_asked_for(books: Database) -> None:
    with_value = select(func.count()).select_from(Book).where(Book.pages > bindparam("pages", 10))
    without = select(func.count()).select_from(Book).where(Book.pages > bindparam("pages"))
    expected_count = await fetch_value(with_value)
    assert await fetch_value(without, {"pages": 10}) == expected_count
    assert await fetch_value(with_value) == expected_count
    with pytest.raises(ValueError, match="a parameter 'pages': give its value"):
        await fetch_value(without)

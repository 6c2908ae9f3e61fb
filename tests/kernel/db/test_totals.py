"""Totals that are not counted each time: how old they may be, what makes them void, and what an estimate is."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, delete, exists, func, select, text
from sqlalchemy.orm import aliased

from tests.kernel.db.library import BOOKS, AuthorOut, BookShort, make_books
from tests.kernel.db.tables import Author, Book
from xumi.kernel.db import totals
from xumi.kernel.db.engine import Database
from xumi.kernel.db.query import Count, PaginateRequest, PaginateResponse, count_statement, paginate_query
from xumi.kernel.db.runner import Query, Rows
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import APIException

pytestmark = pytest.mark.anyio

ALL: tuple[Count, ...] = ("exact", "cached", "estimate", "none")


async def get_page(
    count: Count | None = "cached", statement: Any = None, **asked: Any
) -> PaginateResponse[BookShort]:
    """A page of books."""
    request = PaginateRequest(count=count, **asked)
    return await paginate_query(
        select(Book) if statement is None else statement, request, BookShort, counts=ALL
    )


@pytest.fixture
def counted(books: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The counting statements that the database has run."""
    seen: list[str] = []
    original = books.read.runner.fetch

    async def spy(query: Query) -> Rows:
        if "count(*)" in query.sql.lower():
            seen.append(query.sql)
        return await original(query)

    monkeypatch.setattr(books.read.runner, "fetch", spy)
    books.read.totals._remembered.clear()
    return seen


async def test_a_total_is_counted_once_for_all_pages(counted: list[str]) -> None:
    pages = [await get_page(page=number) for number in (1, 2, 3)]
    assert [(page.total, page.total_age, page.has_next) for page in pages] == [(BOOKS, 0, True)] * 3
    assert len(counted) == 1


async def test_another_filter_has_another_total(counted: list[str]) -> None:
    many = select(Book).where(Book.pages > 0)
    all_books, some = await get_page(size=1), await get_page(size=1, statement=many)
    other = await get_page(size=1, statement=select(Book).where(Book.pages > 10**6))
    assert (all_books.total, other.total, len(counted)) == (BOOKS, 0, 2)
    assert 0 < (some.total or 0) < BOOKS


async def test_many_at_once_count_once(counted: list[str]) -> None:
    pages = await asyncio.gather(*[get_page(page=number % 4 + 1) for number in range(40)])
    assert {page.total for page in pages} == {BOOKS}
    assert len(counted) == 1


async def test_the_age_grows_until_it_is_too_great(
    counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(totals, "monotonic", lambda: now)
    await get_page()
    now += 7.5
    assert (await get_page()).total_age == 7
    now += 2.6
    assert (await get_page()).total_age == 0
    assert len(counted) == 2


async def test_a_write_of_this_process_makes_it_void_at_once(counted: list[str]) -> None:
    assert (await get_page()).total == BOOKS
    async with unit_of_work() as work:
        work.session.add(make_books(BOOKS + 1)[-1])
    assert (await get_page()).total == BOOKS + 1
    async with unit_of_work() as work:
        await work.session.execute(delete(Book).where(Book.id == make_books(1)[0].id))
    assert (await get_page()).total == BOOKS
    async with unit_of_work() as work:
        await work.session.execute(text("DELETE FROM t_book"))
    assert (await get_page()).total == 0


async def test_what_the_database_deletes_along_is_void_too() -> None:
    metadata = MetaData()
    shelf = Table("shelf", metadata, Column("id", Integer, primary_key=True))
    box = Table(
        "box", metadata, Column("shelf", ForeignKey("shelf.id", ondelete="CASCADE"), primary_key=True)
    )
    Table("label", metadata, Column("box", ForeignKey("box.shelf", ondelete="SET NULL")))
    Table("sticker", metadata, Column("box", ForeignKey("box.shelf")))
    assert totals._with_dependents(shelf) == {"shelf", "box", "label"}
    assert totals._with_dependents(box) == {"box", "label"}


async def test_a_write_elsewhere_leaves_it(counted: list[str]) -> None:
    await get_page()
    async with unit_of_work() as work:
        work.session.add(Author(id="Z" * 26, name="somebody"))
    await get_page()
    assert len(counted) == 1


async def test_nothing_is_remembered_while_a_transaction_writes(books: Database, counted: list[str]) -> None:
    async with books.sessions() as session:
        session.add(make_books(BOOKS + 1)[-1])
        await session.flush()
        # Outside, the row is not there yet; a total of now would be wrong as soon as it is.
        assert [(await get_page()).total for _ in range(2)] == [BOOKS, BOOKS]
        assert len(counted) == 2
        await session.commit()
    assert (await get_page()).total == BOOKS + 1
    assert [(await get_page()).total for _ in range(2)] == [BOOKS + 1] * 2
    assert len(counted) == 3


async def test_tables_have_another_version_after_each_write(books: Database) -> None:
    find = books.read.totals.version
    both = frozenset({"t_book", "t_author"})
    first, elsewhere = find(both), find(frozenset({"elsewhere"}))
    assert first is not None
    async with unit_of_work() as work:
        await work.session.execute(delete(Book).where(Book.id == "nothing"))
        assert find(both) is None
    assert find(both) not in (None, first)
    assert find(frozenset({"elsewhere"})) == elsewhere


async def test_a_write_while_it_is_counted_is_not_missed(books: Database, counted: list[str]) -> None:
    released, original = asyncio.Event(), books.read.runner.fetch

    async def slow(query: Query) -> Rows:
        rows = await original(query)
        if "count(*)" in query.sql.lower():
            await released.wait()
        return rows

    books.read.runner.fetch = slow  # type: ignore[method-assign]
    try:
        early = asyncio.create_task(get_page())
        while not counted:
            await asyncio.sleep(0.01)
        async with unit_of_work() as work:
            work.session.add(make_books(BOOKS + 1)[-1])
        late = asyncio.create_task(get_page())
        await asyncio.sleep(0.05)
        released.set()
        assert (await early).total in (BOOKS, BOOKS + 1)
        assert (await late).total == BOOKS + 1
    finally:
        books.read.runner.fetch = original  # type: ignore[method-assign]
    assert (await get_page()).total == BOOKS + 1


async def test_whoever_counts_may_give_up(books: Database, counted: list[str]) -> None:
    first = asyncio.create_task(get_page())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await get_page()).total == BOOKS


async def test_inside_a_transaction_its_own_view_counts(counted: list[str]) -> None:
    await get_page()
    async with unit_of_work() as work:
        work.session.add(make_books(BOOKS + 1)[-1])
        await work.session.flush()
        page = await get_page()
        assert (page.total, page.total_age) == (BOOKS + 1, 0)


async def test_a_list_that_ends_on_its_page_is_not_counted(counted: list[str]) -> None:
    page = await get_page(size=100)
    assert (page.total, page.has_next, page.total_age) == (BOOKS, False, 0)
    assert counted == []


async def test_an_estimate_comes_from_the_planner(books: Database, counted: list[str]) -> None:
    async with books.engine.connect() as connection:
        await connection.execute(text("ANALYZE TABLE t_book" if books.dialect == "mysql" else "ANALYZE"))
        await connection.commit()
    page = await get_page("estimate", size=5)
    assert page.total == BOOKS
    assert page.has_next is True
    if books.dialect == "postgresql":
        assert (page.total_estimated, counted) == (True, [])
        filtered = await get_page("estimate", size=5, statement=select(Book).where(Book.pages > 0))
        assert (filtered.total or 0) >= 6
        async with unit_of_work() as work:
            work.session.add(make_books(BOOKS + 1)[-1])
            await work.session.flush()
            assert (await get_page("estimate", size=5)).total is not None
    else:
        assert (page.total_estimated, page.total_age, len(counted)) == (None, 0, 1)


async def test_a_list_offers_what_it_allows(books: Database) -> None:
    request = PaginateRequest(count="estimate")
    with pytest.raises(APIException) as refused:
        await paginate_query(select(Author), request, AuthorOut)
    assert [(e.field, e.reason) for e in refused.value.errors] == [("count", "this list offers exact, none")]
    page = await paginate_query(select(Author), PaginateRequest(size=2), AuthorOut, counts=["none"])
    assert (page.total, page.has_next) == (None, True)


async def test_which_tables_a_statement_reads() -> None:
    other = aliased(Book)
    assert totals.tables_of(select(func.count()).select_from(other)) == {"t_book"}
    assert totals.tables_of(count_statement(select(Book).distinct())) == {"t_book"}
    assert totals.tables_of(select(Author.id).where(exists().where(Book.author_id == Author.id))) == {
        "t_author",
        "t_book",
    }
    assert totals.ANY_TABLE in totals.tables_of(select(Author.id).where(text("1 = 1")))
    assert totals.tables_of(select(func.count()).select_from(text("t_book"))) == {totals.ANY_TABLE}

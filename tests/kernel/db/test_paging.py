"""Lists: pages, totals, orders, cursors, and what a client may not ask."""

import asyncio
import json
import random
import string
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy import Select, event, func, select, union

from tests.kernel.db.library import (
    BOOKS,
    AuthorOut,
    BookLoud,
    BookOut,
    BookShort,
    make_books,
)
from tests.kernel.db.tables import Author, Book, Color
from xumi.kernel.db.engine import Database
from xumi.kernel.db.query import MAX_PAGE, PaginateRequest, PaginateResponse, paginate_query
from xumi.kernel.db.runner import Query
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import APICode, APIException

SORTABLE = [
    Book.title,
    Book.pages,
    Book.price,
    Book.created_at,
    Book.color,
    Book.public,
    Book.weight,
    Book.sold_at,
]


def encode(page: Any) -> Any:
    """What a client gets as `data`."""
    if isinstance(page, BaseModel):
        return json.loads(page.model_dump_json(by_alias=True))
    return json.loads(msgspec.json.encode(page))


async def get_page(statement: Select[Any] | None = None, **asked: Any) -> Any:
    """A page of books."""
    request = PaginateRequest(**asked)
    return await paginate_query(
        select(Book) if statement is None else statement, request, BookOut, sortable=SORTABLE, keyset=True
    )


def refused(error: APIException) -> list[tuple[str, str]]:
    """The fields that an error names."""
    assert error.code is APICode.VALIDATION_FAILED
    return [(field.field, field.reason) for field in error.errors]


async def test_a_page_has_the_shape_that_clients_rely_on(books: Database) -> None:
    page = await paginate_query(select(Author), PaginateRequest(page=2, size=2), AuthorOut)
    assert encode(page) == {
        "items": [{"id": f"A{n:025}", "name": f"author {n}", "books": 0} for n in (2, 3)],
        "page": 2,
        "size": 2,
        "total": 5,
    }


async def test_models_give_the_same_shape_as_structs(books: Database) -> None:
    page = await paginate_query(select(Book), PaginateRequest(size=1), BookLoud)
    assert isinstance(page, PaginateResponse)
    first = make_books(1)[0]
    assert encode(page) == {
        "items": [
            {
                "id": first.id,
                "title": first.title.upper(),
                "pages": f"{first.pages or 0} pages",
                "length": len(first.title),
            }
        ],
        "page": 1,
        "size": 1,
        "total": 53,
    }


@pytest.mark.parametrize("size", [1, 7, 10, 53, 54, 100])
async def test_pages_hold_every_row_once(books: Database, size: int) -> None:
    seen: list[str] = []
    for number in range(1, 60):
        page = await get_page(page=number, size=size, sort="color")
        assert page.total == 53
        if not page.items:
            break
        seen += [item.id for item in page.items]
    assert sorted(seen) == [book.id for book in make_books(BOOKS)]


async def test_the_total_is_counted_only_where_it_is_not_known(
    books: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = books.read.runner
    asked: list[int] = []
    original = runner.fetch_two

    async def spy(first: Query, second: Query, needs_second: Any) -> Any:
        rows, counted = await original(first, second, needs_second)
        asked.append(len(counted))
        return rows, counted

    monkeypatch.setattr(runner, "fetch_two", spy)
    # An empty page beyond the end, a full page, a last page that is not full, and one that holds everything.
    for page, size, counts in ((9, 10, 1), (1, 10, 1), (6, 10, 0), (1, 100, 0), (1, 53, 1)):
        result = await paginate_query(select(Book), PaginateRequest(page=page, size=size), BookShort)
        assert (result.total, asked.pop()) == (53, counts)
    empty = await paginate_query(select(Book).where(Book.id == ""), PaginateRequest(), BookShort)
    assert (empty.total, empty.items, asked.pop()) == (0, [], 0)


async def test_without_a_count_it_is_known_whether_more_follows(books: Database) -> None:
    statement = select(Author).order_by(Author.name)
    pages = [
        await paginate_query(statement, PaginateRequest(page=n, size=2, count="none"), AuthorOut)
        for n in (1, 2, 3)
    ]
    assert [(len(page.items), page.total, page.has_next) for page in pages] == [
        (2, None, True),
        (2, None, True),
        (1, None, False),
    ]
    assert encode(pages[2])["has_next"] is False


@pytest.mark.parametrize(
    "sort", ["pages", "-pages", "price,-title", "-sold_at,color", "public,-weight,title"]
)
async def test_both_databases_sort_alike_and_null_is_largest(books: Database, sort: str) -> None:
    page = await get_page(size=100, sort=sort)
    ids = [item.id for item in page.items]
    rows = {book.id: book for book in make_books(BOOKS)}
    expected = sorted(rows)
    parts = sort.split(",")
    if parts[-1].startswith("-"):
        expected.reverse()
    for part in reversed(parts):
        name = part.removeprefix("-")

        def key(book_id: str, name: str = name) -> tuple[bool, Any]:
            value = getattr(rows[book_id], name)
            value = value.value if isinstance(value, Color) else value
            return value is None, 0 if value is None else value

        expected.sort(key=key, reverse=part.startswith("-"))
    assert ids == expected


@pytest.mark.parametrize(
    "sort", [None, "title", "-created_at", "pages,-price", "-weight,sold_at", "color,public", "sold_at"]
)
@pytest.mark.parametrize("size", [1, 10])
async def test_a_cursor_goes_through_the_whole_list(books: Database, sort: str | None, size: int) -> None:
    at_once = await get_page(size=100, sort=sort)
    after, seen, pages = None, [], 0
    while True:
        page = await get_page(size=size, sort=sort, after=after)
        assert page.total == 53
        seen += [item.id for item in page.items]
        pages += 1
        if page.next is None:
            break
        after = page.next
    assert seen == [item.id for item in at_once.items]
    assert pages == -(-53 // size)


async def test_a_cursor_goes_on_behind_a_row_that_has_been_deleted(books: Database) -> None:
    first = await get_page(size=5, sort="title", count="none")
    async with books.sessions() as session:
        await session.delete(await session.get(Book, first.items[-1].id))
        await session.commit()
    second = await get_page(size=5, sort="title", after=first.next, count="none")
    everything = await get_page(size=100, sort="title")
    assert [item.id for item in second.items] == [item.id for item in everything.items[4:9]]


async def test_no_changed_cursor_is_accepted(books: Database) -> None:
    cursor = (await get_page(size=5, sort="price,title")).next
    chance = random.Random(5)
    forged = {
        cursor[:at] + letter + cursor[at + 1 :]
        for at in range(len(cursor))
        for letter in chance.sample(string.ascii_letters + string.digits + "-_", 2)
    }
    forged |= {"", "x", "=", "é", "AAAA", cursor[:-1], cursor + "A", cursor + "=", f" {cursor}", cursor * 2}
    forged -= {cursor}
    for text in forged:
        with pytest.raises(APIException) as caught:
            await get_page(size=5, sort="price,title", after=text)
        assert [field for field, _ in refused(caught.value)] == ["after"]
    with pytest.raises(APIException) as caught:
        await get_page(size=5, sort="title", after=cursor)
    assert [field for field, _ in refused(caught.value)] == ["after"]


async def test_a_list_without_cursors_says_so(books: Database) -> None:
    with pytest.raises(APIException) as caught:
        await paginate_query(select(Book), PaginateRequest(after="x"), BookShort)
    assert refused(caught.value) == [("after", "this list takes `page` only")]


@pytest.mark.parametrize(
    "sort", ["id", "password", "title;drop", "title,nope", "-", ",", "title,title", "title,-title", "Title"]
)
async def test_only_allowed_names_sort(books: Database, sort: str) -> None:
    with pytest.raises(APIException) as caught:
        await get_page(sort=sort)
    [(field, reason)] = refused(caught.value)
    assert field == "sort"
    assert "title, pages, price" in reason or "twice" in reason


async def test_names_for_columns_and_a_default(books: Database) -> None:
    statement = select(Author.id, Author.name, func.count(Book.id).label("books")).outerjoin(
        Book, Book.author_id == Author.id
    )
    statement = statement.group_by(Author.id)
    sortable = {"books": func.count(Book.id), "who": Author.name}
    ask = {"sortable": sortable, "default_sort": "-books,who"}
    page: Any = await paginate_query(statement, PaginateRequest(), AuthorOut, **ask)  # type: ignore[arg-type]
    counts = [item.books for item in page.items]
    assert counts == sorted(counts, reverse=True)
    assert page.total == 5
    page = await paginate_query(statement, PaginateRequest(sort="-who", size=2), AuthorOut, **ask)  # type: ignore[arg-type]
    assert [item.name for item in page.items] == ["author 4", "author 3"]
    assert page.total == 5


async def test_the_statements_own_order_holds_unless_another_is_asked(books: Database) -> None:
    statement = select(Author).order_by(Author.name.desc())
    page: Any = await paginate_query(statement, PaginateRequest(), AuthorOut, sortable=[Author.name])
    assert [item.name for item in page.items] == [f"author {n}" for n in (4, 3, 2, 1, 0)]
    page = await paginate_query(statement, PaginateRequest(sort="name"), AuthorOut, sortable=[Author.name])
    assert page.items[0].name == "author 0"


async def test_a_joined_list_repeats_no_row_between_pages(books: Database) -> None:
    """Several rows have the same author: his key alone does not tell them apart."""
    statement = select(Author.id, Author.name, Book.title.label("note")).join(
        Book, Book.author_id == Author.id
    )

    class Written(AuthorOut):
        note: str

    whole: Any = await paginate_query(statement, PaginateRequest(size=100), Written, sortable=[Author.name])
    seen: list[Any] = []
    for number in range(1, 30):
        page: Any = await paginate_query(
            statement, PaginateRequest(size=3, page=number, sort="name"), Written, sortable=[Author.name]
        )
        seen += [(item.name, item.note) for item in page.items]
    assert len(seen) == whole.total
    assert sorted(seen) == sorted((item.name, item.note) for item in whole.items)


async def test_a_join_by_key_adds_nothing_to_the_order(books: Database) -> None:
    """The database can walk the index of the first table."""
    sql: list[str] = []
    statement = select(Book).outerjoin(Author, Author.id == Book.author_id)
    async with unit_of_work() as unit:
        connection = await unit.session.connection()
        event.listen(connection.sync_connection, "before_cursor_execute", lambda *a: sql.append(a[2]))
        await paginate_query(statement, PaginateRequest(), BookShort, sortable=[Book.title])
    [order] = [text.partition("ORDER BY")[2] for text in sql if "ORDER BY" in text]
    assert "t_book.id" in order
    assert "t_author" not in order


async def test_distinct_rows_are_counted_and_paged_as_such(books: Database) -> None:
    class Kind(BookShort):
        author_id: str | None = None
        title: str

    statement = select(Book.title).where(Book.title.in_(["a_b1", "a_b2"])).distinct()
    expected = len({book.title for book in make_books(BOOKS)} & {"a_b1", "a_b2"})
    assert (await paginate_query(statement, PaginateRequest(size=1), Kind)).total == expected


async def test_statements_that_cannot_be_paged_are_refused(books: Database) -> None:
    with pytest.raises(TypeError, match="LIMIT itself"):
        await paginate_query(select(Book).limit(3), PaginateRequest(), BookShort)
    with pytest.raises(TypeError, match="wrap a union"):
        await paginate_query(union(select(Book), select(Book)), PaginateRequest(), BookShort)  # type: ignore[arg-type]


async def test_a_page_inside_a_transaction_sees_its_rows(books: Database) -> None:
    async with unit_of_work() as unit:
        unit.session.add(Author(name="new"))
        assert (await paginate_query(select(Author), PaginateRequest(), AuthorOut)).total == 6
        await unit.rollback()
    assert (await paginate_query(select(Author), PaginateRequest(), AuthorOut)).total == 5


async def test_many_pages_at_once(books: Database) -> None:
    pages = await asyncio.gather(*[get_page(page=1 + n % 6, size=10, sort="title") for n in range(100)])
    assert all(page.total == 53 for page in pages)


async def test_the_last_possible_page_is_answered(books: Database) -> None:
    page = await get_page(page=MAX_PAGE, size=100)
    assert (page.items, page.total) == ([], 53)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"page": 0}, "page"),
        ({"page": -1}, "page"),
        ({"page": MAX_PAGE + 1}, "page"),
        ({"page": 10**30}, "page"),
        ({"page": "x"}, "page"),
        ({"size": 0}, "size"),
        ({"size": 101}, "size"),
        ({"count": "maybe"}, "count"),
        ({"export": "exe"}, "export"),
        ({"sort": "a" * 201}, "sort"),
        ({"after": "a" * 2001}, "after"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_request_is_validated(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PaginateRequest.model_validate(asked)
    assert caught.value.errors()[0]["loc"] == (field,)


def test_filters_may_stand_under_query_in_a_body() -> None:
    class BookQuery(PaginateRequest):
        title: str | None = None

    flat = BookQuery.model_validate({"page": 2, "title": "x"})
    assert BookQuery.model_validate({"page": 2, "query": {"title": "x"}}) == flat
    assert BookQuery.model_validate({"query": {}}) == BookQuery()
    with pytest.raises(ValidationError):
        BookQuery.model_validate({"query": {"titel": "x"}})
    with pytest.raises(ValidationError):
        BookQuery.model_validate({"query": "x"})


async def test_a_default_sort_that_is_not_allowed_is_a_mistake_of_the_program(books: Database) -> None:
    with pytest.raises(TypeError, match="default_sort='-nope': 'nope' is not one of: title"):
        await paginate_query(
            select(Book), PaginateRequest(), BookShort, sortable=[Book.title], default_sort="-nope"
        )


def test_the_documentation_knows_what_a_page_holds() -> None:
    schema = PaginateResponse[AuthorOut].model_json_schema(mode="serialization")
    assert list(schema["properties"]) == [
        "items",
        "page",
        "size",
        "total",
        "total_age",
        "total_estimated",
        "has_next",
        "next",
    ]
    assert schema["required"] == ["items", "page", "size", "total"]


async def test_an_order_of_the_statement_that_leaves_ties_is_made_unique(books: Database) -> None:
    statement = select(Book).order_by(Book.color)
    seen: list[str] = []
    for number in range(1, 12):
        page: Any = await paginate_query(statement, PaginateRequest(size=5, page=number), BookOut)
        seen += [item.id for item in page.items]
    assert seen == [
        book.id for book in sorted(make_books(BOOKS), key=lambda book: (book.color.value, book.id))
    ]


def test_a_filter_cannot_take_the_place_of_a_parameter_of_every_list() -> None:
    with pytest.raises(TypeError, match=r"Stock\.count has a meaning of its own"):
        type("Stock", (PaginateRequest,), {"__annotations__": {"count": int}, "__module__": __name__})

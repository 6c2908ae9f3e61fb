"""Filters: what each kind matches, and what is refused."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Query
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import func, select

from tests.kernel.db.library import BOOKS, START, AuthorOut, make_books
from tests.kernel.db.tables import Author, Book, Color
from xumi.kernel.db.engine import Database
from xumi.kernel.db.filters import (
    MAX_IN_VALUES,
    DatetimeRange,
    FilterTypeEnum,
    Range,
    add_filters,
    get_condition,
)
from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.db.read import fetch_all, fetch_value
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.schema import SchemaBase


class Found(SchemaBase):
    """What is asked of a book."""

    id: str


async def found(column: Any, value: Any, kind: FilterTypeEnum) -> list[str]:
    """The keys of the books that a filter lets through."""
    statement = select(Book).where(get_condition(column, value, kind)).order_by(Book.id)
    return [book.id for book in await fetch_all(statement, Found)]


def chosen(condition: Any) -> list[str]:
    """The same in Python."""
    return [book.id for book in make_books(BOOKS) if condition(book)]


async def test_equals(books: Database) -> None:
    assert await found(Book.color, Color.RED, FilterTypeEnum.Equals) == chosen(lambda b: b.color is Color.RED)
    assert await found(Book.title, "", FilterTypeEnum.Equals) == []


@pytest.mark.parametrize("values", [[], [1], [1, 3, 4], (2,), {0}])
async def test_in(books: Database, values: Sequence[int]) -> None:
    assert await found(Book.pages, values, FilterTypeEnum.In) == chosen(lambda b: b.pages in values)


@pytest.mark.parametrize("word", ["%", "_", "\\", "a_B", "50% OFF", "e's", "須彌", "%%", "' OR 1=1 --", "x"])
async def test_like_takes_every_character_literally_and_ignores_case(books: Database, word: str) -> None:
    assert await found(Book.title, word, FilterTypeEnum.Like) == chosen(
        lambda b: word.lower() in b.title.lower()
    )


@pytest.mark.parametrize(("start", "end"), [(1, 3), (None, 2), (2, None), (None, None), (3, 1)])
async def test_range_includes_both_ends(books: Database, start: int | None, end: int | None) -> None:
    expected = chosen(
        lambda b: (
            (start is None and end is None)
            or (
                b.pages is not None
                and (start is None or b.pages >= start)
                and (end is None or b.pages <= end)
            )
        )
    )
    for value in (
        Range[int](start=start, end=end),
        {"start": start, "end": end},
        SimpleNamespace(start=start, end=end),
    ):
        assert await found(Book.pages, value, FilterTypeEnum.Range) == expected


async def test_datetime_compares_points_in_time_whatever_their_zone(books: Database) -> None:
    here = timezone(timedelta(hours=8))
    value = DatetimeRange(start=START.astimezone(here), end=START + timedelta(hours=2))
    expected = chosen(lambda b: START <= b.created_at <= START + timedelta(hours=2))
    assert await found(Book.created_at, value, FilterTypeEnum.Datetime) == expected
    assert 0 < len(expected) < BOOKS


async def test_boolean_and_null(books: Database) -> None:
    assert await found(Book.public, True, FilterTypeEnum.Boolean) == chosen(lambda b: b.public)
    assert await found(Book.public, False, FilterTypeEnum.Boolean) == chosen(lambda b: not b.public)
    assert await found(Book.pages, True, FilterTypeEnum.Null) == chosen(lambda b: b.pages is None)
    assert await found(Book.pages, False, FilterTypeEnum.Null) == chosen(lambda b: b.pages is not None)


async def test_a_condition_serves_having(books: Database) -> None:
    count = func.count(Book.id)
    statement = (
        select(Book.author_id)
        .group_by(Book.author_id)
        .having(get_condition(count, Range[int](start=1000), FilterTypeEnum.Range))
    )
    assert await fetch_value(statement) is None


async def test_all_filters_at_once_and_unset_ones_are_left_out(books: Database) -> None:
    class AuthorQuery(PaginateRequest):
        name: str | None = None
        active: bool | None = None
        born: bool | None = None

    filters = {
        Author.name: FilterTypeEnum.Like,
        Author.active: FilterTypeEnum.Boolean,
        Author.born: FilterTypeEnum.Null,
    }
    plain = select(Author)
    assert add_filters(plain, AuthorQuery(), filters) is plain
    assert add_filters(plain, AuthorQuery(name=""), filters) is plain
    statement = add_filters(plain, AuthorQuery(name="AUTHOR", active=True), filters).where(
        Author.name > "author 1"
    )
    names = [author.name for author in await fetch_all(statement.order_by(Author.name), AuthorOut)]
    assert names == ["author 2", "author 4"]
    assert len(await fetch_all(add_filters(plain, {"name": "3"}, filters), AuthorOut)) == 1
    with pytest.raises(TypeError, match="has no field 'updated_at'"):
        add_filters(plain, AuthorQuery(), {Author.updated_at: FilterTypeEnum.Datetime})


NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001  what is refused


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        (Book.pages, list(range(MAX_IN_VALUES + 1)), FilterTypeEnum.In),
        (Book.pages, "1,2", FilterTypeEnum.In),
        (Book.created_at, NAIVE, FilterTypeEnum.Equals),
        (Book.created_at, [NAIVE], FilterTypeEnum.In),
        (Book.created_at, SimpleNamespace(start=NAIVE, end=None), FilterTypeEnum.Datetime),
        (Book.created_at, SimpleNamespace(start=None, end=NAIVE), FilterTypeEnum.Range),
        (Book.created_at, SimpleNamespace(start="2026", end=None), FilterTypeEnum.Datetime),
        (Book.created_at, START, FilterTypeEnum.Datetime),
        (Book.title, 3, FilterTypeEnum.Like),
        (Book.public, "yes", FilterTypeEnum.Boolean),
        (Book.pages, "yes", FilterTypeEnum.Null),
    ],
)
def test_a_value_that_does_not_fit_is_422_and_names_its_field(
    column: Any, value: Any, kind: FilterTypeEnum
) -> None:
    with pytest.raises(APIException) as caught:
        get_condition(column, value, kind)
    assert caught.value.code is APICode.VALIDATION_FAILED
    assert [error.field for error in caught.value.errors] == [column.key]


async def test_a_thousand_values_are_allowed(books: Database) -> None:
    assert len(await found(Book.pages, list(range(MAX_IN_VALUES)), FilterTypeEnum.In)) == len(
        chosen(lambda b: b.pages is not None)
    )


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        (
            "2026-01-01T00:00:00Z..2026-02-01T00:00:00Z",
            datetime(2026, 1, 1, tzinfo=UTC),
            datetime(2026, 2, 1, tzinfo=UTC),
        ),
        ("2026-01-01T00:00:00+00:00..", datetime(2026, 1, 1, tzinfo=UTC), None),
        ("..2026-02-01T00:00:00Z", None, datetime(2026, 2, 1, tzinfo=UTC)),
        ("..", None, None),
    ],
)
def test_a_range_is_read_from_a_query_string(text: str, start: datetime | None, end: datetime | None) -> None:
    assert TypeAdapter(DatetimeRange).validate_python(text) == DatetimeRange(start=start, end=end)


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00Z", "", "2026-01-01T00:00:00..", "x..", "1..2..3"])
def test_other_ranges_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(DatetimeRange).validate_python(text)


async def test_a_range_is_a_query_parameter_of_fastapi() -> None:
    class Asked(PaginateRequest):
        pages: Range[int] | None = None
        ids: list[str] | None = None

    app = FastAPI()

    @app.get("/")
    async def show(query: Annotated[Asked, Query()]) -> Asked:
        return query

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        asked = (await client.get("/?pages=3..7&ids=a&ids=b&page=2")).json()
        assert (asked["pages"], asked["ids"], asked["page"]) == ({"start": 3, "end": 7}, ["a", "b"], 2)
        wrong = (await client.get("/?pages=a..7&pagee=1")).json()
        assert {tuple(error["loc"][:2]) for error in wrong["detail"]} == {
            ("query", "pages"),
            ("query", "pagee"),
        }
        document = (await client.get("/openapi.json")).json()
    schema = document["components"]["schemas"]["Range_int_"]
    assert {option.get("type") for option in schema["anyOf"]} == {"object", "string"}

"""Rows for the tests of reads, and schemas that take them in every way."""

import random
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from pydantic import (
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    computed_field,
    field_serializer,
    field_validator,
)
from pydantic.alias_generators import to_camel

from tests.kernel.db.tables import Author, Book, Color
from xumi.kernel.schema import SchemaBase

BOOKS = 53
START = datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)


class BookOut(SchemaBase):
    """All columns as they are, except for the cover."""

    id: str
    title: str
    color: Color
    pages: int | None
    price: Decimal | None
    weight: float | None
    public: bool
    data: dict[str, Any] | None
    tags: list[str]
    printed_on: date | None
    opens: time | None
    code: uuid.UUID | None
    sold_at: datetime | None
    summary: str | None
    author_id: str | None
    created_at: datetime


class BookShort(SchemaBase):
    """Two columns, under aliases, and a default."""

    model_config = ConfigDict(alias_generator=AliasGenerator(serialization_alias=to_camel))

    author_id: str | None
    title: str
    note: str = "none"
    marks: list[int] = Field(default_factory=list)


class BookLoud(SchemaBase):
    """A schema with rules of its own, which pydantic must run."""

    id: str
    title: str
    pages: int | None

    @field_validator("title")
    @classmethod
    def _upper(cls, value: str) -> str:
        return value.upper()

    @field_serializer("pages")
    def _pages(self, value: int | None) -> str:
        return f"{value or 0} pages"

    @computed_field
    def length(self) -> int:
        return len(self.title)


class BookCover(SchemaBase):
    """What msgspec would write differently: bytes."""

    id: str
    cover: bytes | None


class BookTagged(SchemaBase):
    """A JSON column that is a model of its own."""

    class Data(BaseModel):
        key: int = 0

    id: str
    data: Data | None


class BookStrict(SchemaBase):
    """Fields that the column does not promise to fit."""

    id: str
    pages: int
    weight: Decimal | None


class AuthorOut(SchemaBase):
    """An author with what a join adds."""

    id: str
    name: str
    books: int = 0


def make_authors(count: int = 5) -> list[Author]:
    """Authors, the last without books."""
    return [
        Author(id=f"A{n:025}", name=f"author {n}", born=date(1900 + n, 1, 1), active=n % 2 == 0)
        for n in range(count)
    ]


def make_books(count: int, seed: int = 1) -> list[Book]:
    """Books with every kind of value and many NULLs, the same for the same seed."""
    chance = random.Random(seed)

    def maybe(value: Any) -> Any:
        return value if chance.random() < 0.7 else None

    return [
        Book(
            id=f"B{number:025}",
            title=chance.choice(["Ångström", "50% off", "a_b", "back\\slash", "須彌山", "quote's", ""])
            + str(number % 7),
            color=chance.choice(list(Color)),
            pages=maybe(chance.randrange(5)),
            price=maybe(Decimal(chance.randrange(-500, 500)) / 100),
            weight=maybe(chance.choice([0.1, 1e300, -2.5, 3.0])),
            public=chance.random() < 0.5,
            data=maybe({"key": chance.randrange(3), "list": [1, None, "ü"], "deep": {"a": 1.5}}),
            tags=chance.choice([[], ["a"], ["b", "c"]]),
            printed_on=maybe(date(2020, 1, 1) + timedelta(days=chance.randrange(3))),
            opens=maybe(time(8, 30, chance.randrange(3))),
            code=maybe(uuid.UUID(int=chance.getrandbits(128), version=4)),
            cover=maybe(b"png"),
            sold_at=maybe(START + timedelta(microseconds=chance.randrange(3) * 500_000)),
            summary=maybe(chance.choice(["short", "long"])),
            author_id=maybe(f"A{chance.randrange(4):025}"),
            created_at=START + timedelta(hours=chance.randrange(4)),
            updated_at=START,
        )
        for number in range(count)
    ]


def rows_of(items: list[Any]) -> list[dict[str, Any]]:
    """What to insert without the ORM."""
    moments = {"created_at": START, "updated_at": START}
    return [
        moments | {key: value for key, value in vars(item).items() if key != "_sa_instance_state"}
        for item in items
    ]

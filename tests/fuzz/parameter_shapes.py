"""Endpoints whose parameters stand in path, query, headers and cookies."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Cookie, Header, Path, Query
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    model_validator,
)

from tests.fuzz.declaration import Shapes
from tests.fuzz.recording import seen

NUMBERS = ["1", "7", "-3"]
WORDS = ["a", "abc", "Zoe"]
UUIDS = ["12345678-1234-5678-1234-567812345678", "12345678123456781234567812345678"]
DATES = ["2020-01-31", "1999-12-31"]
MOMENTS = ["2020-01-01T10:00:00Z", "2020-01-01 10:00:00.5+08:00", "1700000000"]


class Color(Enum):
    """Values of two types."""

    RED = "red"
    BLUE = "blue"
    ONE = 1


class Level(IntEnum):
    """Numbers with names."""

    LOW = 1
    HIGH = 2


class Ignoring(BaseModel):
    """Takes what it knows and leaves the rest."""

    page: int = Field(1, ge=1)
    size: int = Field(10, ge=1, le=100)
    tags: list[str] = []
    since: date | None = None
    first: int | None = Field(None, alias="from")


class Forbidding(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid")
    q: str = Field("", max_length=5)
    ids: set[int] = set()


class Allowing(BaseModel):
    """Keeps what it does not know."""

    model_config = ConfigDict(extra="allow")
    q: str | None = None
    pair: tuple[int, int] | None = None


class ByName(BaseModel):
    """Taken by alias or by name."""

    model_config = ConfigDict(populate_by_name=True)
    first: int = Field(0, alias="firstNumber")
    others: list[int] = Field([], alias="otherNumbers")


class Devouring(BaseModel):
    """Takes its input apart while it is validated."""

    q: str = ""

    @model_validator(mode="before")
    @classmethod
    def take(cls, data: Any) -> Any:
        return {"q": str(data.pop("q", ""))} if isinstance(data, dict) else data


class Deep(BaseModel):
    """Names that lead into what was given."""

    first: str | None = Field(None, validation_alias=AliasPath("values", 0))
    either: str | None = Field(None, validation_alias=AliasChoices("one", "two"))
    whole: Json[list[int]] = []


class Headed(BaseModel):
    """Headers of a request."""

    x_trace: str | None = None
    x_part: list[str] = []


def _fail(value: str) -> str:
    if value == "boom":
        raise LookupError("a validator with a bug")
    return value


Bug = Annotated[str, AfterValidator(_fail)]
"""A text that must not be `boom`."""


def parameter_shapes(shapes: Shapes) -> None:
    """Declare them."""
    _scalars(shapes)
    _more_scalars(shapes)
    _text_and_defaults(shapes)
    _names(shapes)
    _several_values(shapes)
    _models(shapes)


def _scalars(shapes: Shapes) -> None:
    @shapes.get(
        "/path/{number}/{ratio}/{flag}",
        segments={"number": NUMBERS, "ratio": ["0.5", "1e3"], "flag": ["true", "0"]},
    )
    async def path_scalars(number: int, ratio: float, flag: bool) -> Any:
        return seen(locals())

    @shapes.get("/path-limits/{number}", segments={"number": ["1", "9"]})
    async def path_limits(number: Annotated[int, Path(ge=1, le=10)]) -> Any:
        return seen(locals())

    @shapes.get("/uuid/{id}", segments={"id": UUIDS})
    async def path_uuid(id: UUID) -> Any:
        return seen(locals())

    @shapes.get("/color/{color}/{level}", segments={"color": ["red"], "level": ["1"]})
    def path_enum(color: Color, level: Level) -> Any:
        return seen(locals())

    @shapes.get("/files/{rest:path}", segments={"rest": ["a", "a/b.txt", "a%2Fb"]})
    async def path_rest(rest: str) -> Any:
        return seen(locals())

    @shapes.get("/converted/{number:int}/{name}.json", segments={"number": ["1", "02"], "name": WORDS})
    async def path_converted(number: int, name: Annotated[str, Path(max_length=4)]) -> Any:
        return seen(locals())


def _more_scalars(shapes: Shapes) -> None:
    @shapes.get("/numbers", query={"i": NUMBERS, "f": ["0.1", "inf"], "d": ["1.10", "3"], "b": ["on", "0"]})
    async def query_numbers(i: int, f: float, d: Decimal, b: bool = True) -> Any:
        return seen(locals())

    @shapes.get(
        "/limits",
        query={"i": ["3", "6"], "f": ["0.5"], "d": ["1.25"]},
    )
    async def query_limits(
        i: Annotated[int, Query(gt=2, lt=10, multiple_of=3)],
        f: Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)],
        d: Annotated[Decimal, Query(max_digits=4, decimal_places=2)],
        x: Annotated[int, Query(strict=True)] = 5,
    ) -> Any:
        return seen(locals())

    @shapes.get(
        "/moments", query={"at": MOMENTS, "on": DATES, "t": ["10:00", "10:00:01Z"], "dt": ["P1D", "90"]}
    )
    async def query_moments(
        at: datetime, on: date | None = None, t: time = time(1), dt: timedelta = timedelta(1)
    ) -> Any:
        return seen(locals())

    @shapes.get("/choices", query={"c": ["red"], "level": ["2"], "w": ["a"], "id": UUIDS})
    async def query_choices(
        c: Color, level: Level, w: Literal["a", "b"], n: Literal[1, 2] = 2, id: UUID | None = None
    ) -> Any:
        return seen(locals())

    @shapes.get("/unions", query={"a": NUMBERS, "b": MOMENTS, "c": UUIDS})
    async def query_unions(
        a: int | str, b: datetime | date | str, c: UUID | int | None = None, d: Any = None
    ) -> Any:
        return seen(locals())


def _text_and_defaults(shapes: Shapes) -> None:
    @shapes.get("/text", query={"s": WORDS, "p": ["ab1"], "b": WORDS, "t": [" a "]})
    async def query_text(
        s: Annotated[str, Query(min_length=1, max_length=3)],
        p: Annotated[str, Query(pattern=r"^[a-z]+\d$")] = "a1",
        b: bytes = b"",
        t: Annotated[str, Query(), AfterValidator(str.strip), BeforeValidator(lambda v: v)] = "",
    ) -> Any:
        return seen(locals())

    @shapes.get("/boom", query={"s": [*WORDS, "boom"]})
    async def query_boom(s: Bug, n: int = 1) -> Any:
        return seen(locals())

    @shapes.get("/defaults", query={"a": NUMBERS, "b": WORDS, "c": NUMBERS, "d": NUMBERS})
    async def query_defaults(
        *,
        a: int | None = None,
        b: str | None = "x",
        c: Annotated[int, Query(validate_default=True)] = 4,
        d: Annotated[list[int], Query(default_factory=lambda: [1])],
        e: Annotated[Decimal, Query()] = Decimal("1.0"),
    ) -> Any:
        return seen(locals())

    @shapes.get("/mutable", query={"tags": WORDS})
    async def query_mutable(tags: Annotated[list[str], Query()] = ["x"]) -> Any:  # noqa: B006
        arguments = seen(locals())
        tags.append("changed")
        return arguments

    @shapes.get("/invalid-default", query={"n": NUMBERS})
    async def query_invalid_default(n: Annotated[int, Query(ge=5, validate_default=True)] = 1) -> Any:
        return seen(locals())

    @shapes.get("/json", query={"j": ["[1,2]", "[]"], "k": ["5"]})
    async def query_json(
        j: Annotated[Json[list[int]], Query()] = [1],  # noqa: B006
        k: Annotated[Json[int] | None, Query()] = None,
    ) -> Any:
        return seen(locals())


def _names(shapes: Shapes) -> None:
    @shapes.get("/aliases", query={"from": NUMBERS, "itemQuery": WORDS, "x": WORDS, "y": WORDS, "p": WORDS})
    async def query_aliases(
        start: Annotated[int, Query(alias="from")],
        q: Annotated[str | None, Query(validation_alias="itemQuery")] = None,
        either: Annotated[str, Query(validation_alias=AliasChoices("x", "y"))] = "",
        part: Annotated[str, Query(validation_alias=AliasPath("p", 0))] = "",
        only: Annotated[str, Query(validation_alias=AliasChoices("z"))] = "",
    ) -> Any:
        return seen(locals())

    @shapes.get(
        "/headers",
        headers={
            "x-number": NUMBERS,
            "user-agent": WORDS,
            "x_raw": WORDS,
            "if-match": WORDS,
            "x-when": DATES,
        },
    )
    async def headers(
        x_number: Annotated[int, Header()],
        user_agent: Annotated[str | None, Header()] = None,
        x_raw: Annotated[str | None, Header(convert_underscores=False)] = None,
        tag: Annotated[str, Header(alias="If-Match", max_length=5)] = "",
        x_when: Annotated[date | None, Header()] = None,
    ) -> Any:
        return seen(locals())

    @shapes.get("/header-lists", headers={"x-token": WORDS, "x-ids": NUMBERS})
    async def header_lists(
        x_token: Annotated[list[str], Header()], x_ids: Annotated[set[int] | None, Header()] = None
    ) -> Any:
        return seen(locals())

    @shapes.get("/cookies", cookies={"session": WORDS, "count": NUMBERS, "c": ["red"]})
    async def cookies(
        session: Annotated[str, Cookie()],
        count: Annotated[int | None, Cookie(ge=0)] = None,
        color: Annotated[Color, Cookie(alias="c")] = Color.BLUE,
        list: Annotated[list[str] | None, Cookie()] = None,
    ) -> Any:
        return seen(locals())


def _several_values(shapes: Shapes) -> None:
    @shapes.get("/lists", query={"a": WORDS, "b": NUMBERS, "c": NUMBERS, "d": NUMBERS})
    async def query_lists(
        a: Annotated[list[str], Query()],
        b: Annotated[set[int], Query(max_length=2)] = set(),  # noqa: B006
        c: Annotated[tuple[int, ...] | None, Query()] = None,
        d: Annotated[frozenset[int] | None, Query()] = frozenset({1}),
    ) -> Any:
        return seen(locals())

    @shapes.get("/more-lists", query={"colors": ["red"], "moments": MOMENTS, "any": WORDS})
    async def query_more_lists(
        pair: Annotated[tuple[int, int], Query()] = (1, 2),
        colors: Annotated[list[Color], Query(min_length=1)] = [Color.RED],  # noqa: B006
        moments: Annotated[list[datetime], Query()] = [],  # noqa: B006
        any: Annotated[list[Any], Query()] = [],  # noqa: B006
    ) -> Any:
        return seen(locals())


def _models(shapes: Shapes) -> None:
    @shapes.get(
        "/ignoring", query={"page": ["1"], "size": ["5"], "tags": WORDS, "since": DATES, "from": NUMBERS}
    )
    async def model_ignoring(filters: Annotated[Ignoring, Query()]) -> Any:
        return seen(locals())

    @shapes.get("/forbidding", query={"q": WORDS, "ids": NUMBERS})
    async def model_forbidding(filters: Annotated[Forbidding, Query()]) -> Any:
        return seen(locals())

    @shapes.get("/allowing", query={"q": WORDS, "z": WORDS})
    async def model_allowing(filters: Annotated[Allowing, Query()]) -> Any:
        return seen(locals())

    @shapes.get("/by-name", query={"firstNumber": NUMBERS, "first": NUMBERS, "otherNumbers": NUMBERS})
    async def model_by_name(filters: Annotated[ByName, Query()]) -> Any:
        return seen(locals())

    @shapes.get("/two-models", query={"q": WORDS, "ids": NUMBERS, "n": NUMBERS})
    async def model_twice(
        devouring: Annotated[Devouring, Query()], allowing: Annotated[Allowing, Query()], n: int = 0
    ) -> Any:
        return seen(locals())

    @shapes.get("/deep", query={"values": WORDS, "one": WORDS, "two": WORDS, "whole": ["[1]", "[]"]})
    async def model_deep(filters: Annotated[Deep, Query()]) -> Any:
        return seen(locals())

    @shapes.get("/optional-model", query={"q": WORDS, "ids": NUMBERS})
    async def model_optional(filters: Annotated[Forbidding | None, Query()] = None) -> Any:
        return seen(locals())

    @shapes.get("/header-model", headers={"x-trace": WORDS, "x-part": WORDS})
    async def model_of_headers(headed: Annotated[Headed, Header()]) -> Any:
        return seen(locals())

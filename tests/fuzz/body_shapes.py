"""Endpoints that take a JSON body."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import Body, Header, Query, Request
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    RootModel,
    SecretStr,
    StrictInt,
    ValidationInfo,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

from tests.fuzz.declaration import Shapes
from tests.fuzz.parameter_shapes import UUIDS, Color, Ignoring, Level
from tests.fuzz.recording import seen


class Part(BaseModel):
    """Something small."""

    name: str = Field(min_length=1, max_length=10)
    count: int = Field(1, ge=0, le=1000)


class Order(BaseModel):
    """Something with parts, of the types that people use."""

    id: UUID
    parts: list[Part] = Field([], max_length=3)
    by_name: dict[str, Part] = {}
    main: Part | None = None
    note: str | None = None
    ratio: float = 0.5
    paid: bool = False
    due: date | None = None
    at: datetime | None = None
    wait: timedelta | None = None
    color: Color = Color.RED
    level: Level = Level.LOW
    kind: Literal["a", "b", 3] = "a"
    numbers: set[int] = set()
    pair: tuple[int, str] | None = None
    anything: Any = None


class Money(BaseModel):
    """Exact numbers."""

    total: Decimal
    share: Decimal | None = Field(None, max_digits=5, decimal_places=2)
    part: Fraction = Fraction(0)


class Strict(BaseModel):
    """No conversions."""

    model_config = ConfigDict(strict=True)
    n: int = 0
    f: float = 0.0
    at: datetime | None = None
    id: UUID | None = None
    t: tuple[int, ...] = ()
    color: Color | None = None
    d: Decimal | None = None


class SomeStrict(BaseModel):
    """Conversions, but for some."""

    n: StrictInt = 0
    on: Annotated[date, Field(strict=True)] = date(2020, 1, 1)
    s: Annotated[set[int], Field(strict=True)] = set()
    m: int = 0


class Unions(BaseModel):
    """Values that several types would take."""

    a: int | str | None = None
    b: datetime | str = ""
    c: UUID | str = ""
    d: Decimal | int = 0
    e: set[int] | list[str] = []
    f: Part | dict[str, int] = {}
    g: Path | str = ""
    h: Annotated[int | str, Field(union_mode="left_to_right")] = 0
    i: bytes | str = ""


class Cat(BaseModel):
    """One kind."""

    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    """Another kind."""

    kind: Literal["dog"]
    tricks: list[str] = []


class Closed(BaseModel):
    """Refuses what it does not know, and has other names outside."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, str_strip_whitespace=True)
    first: str = Field(alias="firstName")
    second: int = Field(2, validation_alias=AliasChoices("second", "zweite"))
    third: int | None = Field(None, validation_alias=AliasPath("list", 1))


class Open(BaseModel):
    """Keeps what it does not know."""

    model_config = ConfigDict(extra="allow")
    name: str = ""


class Bytes(BaseModel):
    """Bytes in a text."""

    model_config = ConfigDict(val_json_bytes="base64")
    data: bytes
    plain: bytes = b""


class Texts(BaseModel):
    """Numbers become texts."""

    model_config = ConfigDict(coerce_numbers_to_str=True)
    s: str
    secret: SecretStr = SecretStr("")


class Validated(BaseModel):
    """Validators of all kinds."""

    n: int = 0
    text: str = ""
    mode: str = ""

    @field_validator("n", mode="before")
    @classmethod
    def read(cls, value: Any) -> Any:
        return len(value) if isinstance(value, list) else value

    @field_validator("text")
    @classmethod
    def check(cls, value: str) -> str:
        if value == "bad":
            raise ValueError("bad text")
        if value == "boom":
            raise LookupError("a validator with a bug")
        return value.upper()

    @field_validator("mode", mode="before")
    @classmethod
    def tell(cls, value: Any, info: ValidationInfo) -> str:
        return f"{info.mode} {value}"

    @model_validator(mode="after")
    def compare(self) -> "Validated":
        if self.n == 13:
            raise ValueError("unlucky")
        return self


class Raw(BaseModel):
    """Sees its input as it is."""

    data: str = ""

    @model_validator(mode="before")
    @classmethod
    def keep(cls, data: Any) -> Any:
        return {"data": repr(data)}


class Recursive(BaseModel):
    """A tree."""

    value: int = 0
    children: list["Recursive"] = []


class Sequences(BaseModel):
    """Lists by other names."""

    some: Sequence[int] = ()
    lazily: Iterable[int] = ()
    fixed: frozenset[str] = frozenset()
    text: Json[list[int]] = []


class Point(NamedTuple):
    """Two numbers."""

    x: int
    y: int = 0


class Named(TypedDict, total=False):
    """A dictionary with known keys."""

    name: str
    age: int


@dataclass
class Plain:
    """A dataclass of the standard library."""

    name: str
    sizes: list[int] = field(default_factory=list)


ORDER = {
    "id": UUIDS[0],
    "parts": [{"name": "a", "count": 2}],
    "by_name": {"x": {"name": "b"}},
    "main": {"name": "c"},
    "note": "é",
    "ratio": 1.5,
    "paid": True,
    "due": "2020-01-01",
    "at": "2020-01-01T10:00:00Z",
    "wait": "PT5S",
    "color": "blue",
    "level": 2,
    "kind": 3,
    "numbers": [1, 2],
    "pair": [1, "x"],
    "anything": {"a": [1, 2.5, None]},
}


def body_shapes(shapes: Shapes) -> None:
    """Declare them."""
    _models(shapes)
    _readings(shapes)
    _other_types(shapes)
    _arrangements(shapes)


def _models(shapes: Shapes) -> None:
    @shapes.post("/order", bodies=[ORDER, {"id": UUIDS[1]}])
    async def order(order: Order) -> Any:
        return seen(locals())

    @shapes.declare("PUT", "/order/{id}", segments={"id": ["1"]}, query={"dry": ["true"]}, bodies=[ORDER])
    def order_sync(id: int, order: Order, dry: bool = False) -> Any:
        return seen(locals())

    @shapes.post("/closed", bodies=[{"firstName": " a ", "zweite": 3}, {"first": "a", "list": [1, 2]}])
    async def closed(closed: Closed) -> Any:
        return seen(locals())

    @shapes.post("/open", bodies=[{"name": "a", "other": 1}, {"b": 1, "a": 2}])
    async def open_(open_: Open) -> Any:
        return seen(locals())

    @shapes.post("/pet", bodies=[{"kind": "cat", "lives": 3}, {"kind": "dog", "tricks": ["sit"]}])
    async def pet(pet: Annotated[Cat | Dog, Body(discriminator="kind")]) -> Any:
        return seen(locals())

    @shapes.post("/tree", bodies=[{"children": [{"value": 1, "children": [{"value": 2}]}]}])
    async def tree(tree: Recursive) -> Any:
        return seen(locals())

    @shapes.post("/validated", bodies=[{"n": [1, 2], "text": "ok"}, {"text": "boom"}, {"n": 13, "mode": "m"}])
    async def validated(item: Validated) -> Any:
        return seen(locals())

    @shapes.post("/raw", bodies=[{"a": 1, "b": [1.0, -0.0, "x"]}, [1], 5])
    async def raw(raw: Raw) -> Any:
        return seen(locals())


def _readings(shapes: Shapes) -> None:
    """Types that pydantic reads from JSON text in another way than from Python objects."""

    @shapes.post("/money", bodies=[{"total": 1.0, "share": "1.25", "part": 0.1}, {"total": "2"}])
    async def money(money: Money) -> Any:
        return seen(locals())

    @shapes.post("/strict", bodies=[{"n": 1, "f": 1.5}, {"at": "2020-01-01T10:00:00Z", "t": [1]}])
    async def strict(item: Strict) -> Any:
        return seen(locals())

    @shapes.post("/some-strict", bodies=[{"n": 1, "m": "2"}, {"on": "2020-01-01", "s": [1]}])
    async def some_strict(item: SomeStrict) -> Any:
        return seen(locals())

    @shapes.post("/strict-body", bodies=[UUIDS[0]])
    async def strict_body(id: Annotated[UUID, Body(strict=True)]) -> Any:
        return seen(locals())

    @shapes.post(
        "/unions",
        bodies=[
            {"a": "1", "b": "2020-01-01", "c": UUIDS[0], "d": 1.0, "e": ["1"], "f": {"count": 1}, "g": "x"}
        ],
    )
    async def unions(item: Unions) -> Any:
        return seen(locals())

    @shapes.post("/bytes", bodies=[{"data": "YWI=", "plain": "YWI="}])
    async def bytes_(item: Bytes) -> Any:
        return seen(locals())

    @shapes.post("/texts", bodies=[{"s": 1.0, "secret": "x"}, {"s": "1e5"}])
    async def texts(item: Texts) -> Any:
        return seen(locals())

    @shapes.post("/sequences", bodies=[{"some": [1], "lazily": [1, "2"], "fixed": ["a"], "text": "[1]"}])
    async def sequences(item: Sequences) -> Any:
        return seen(locals())


def _other_types(shapes: Shapes) -> None:
    @shapes.post("/parts", bodies=[[{"name": "a"}, {"name": "b", "count": 3}], []])
    async def parts(parts: Annotated[list[Part], Body(max_length=2)]) -> Any:
        return seen(locals())

    @shapes.post("/mapping", bodies=[{"1": 1.5, "2": 3}])
    async def mapping(items: dict[int, float]) -> Any:
        return seen(locals())

    @shapes.post("/anything", bodies=[{"a": [1, 2.5, None, "x"]}, [1], "x", 5])
    async def anything(item: Annotated[Any, Body()]) -> Any:
        return seen(locals())

    @shapes.post("/plain", bodies=[{"name": "a", "sizes": [1]}])
    async def plain(item: Plain) -> Any:
        return seen(locals())

    @shapes.post("/named", bodies=[{"name": "a", "age": 3}])
    async def named(item: Named) -> Any:
        return seen(locals())

    @shapes.post("/point", bodies=[[1, 2], {"x": 1}])
    async def point(point: Annotated[Point, Body()]) -> Any:
        return seen(locals())

    @shapes.post("/scalar", bodies=[5, "7"])
    async def scalar(number: Annotated[int, Body(ge=0, lt=100)]) -> Any:
        return seen(locals())

    @shapes.post("/text-body", bodies=["abc"])
    async def text_body(text: Annotated[bytes, Body(max_length=5)]) -> Any:
        return seen(locals())

    @shapes.post("/root", bodies=[[1, 2]])
    async def root(items: RootModel[list[int]]) -> Any:
        return seen(locals())

    @shapes.post("/nullable", bodies=[{"name": "a"}, None])
    async def nullable(part: Part | None) -> Any:
        return seen(locals())


def _arrangements(shapes: Shapes) -> None:
    @shapes.post("/several", bodies=[{"part": {"name": "a"}, "cat": {"kind": "cat"}, "n": 1}])
    async def several(part: Part, cat: Cat, n: Annotated[int, Body()] = 0) -> Any:
        return seen(locals())

    @shapes.post("/embedded", bodies=[{"part": {"name": "a"}}])
    async def embedded(part: Annotated[Part, Body(embed=True)]) -> Any:
        return seen(locals())

    @shapes.post("/optional", bodies=[{"name": "a"}, None])
    async def optional(part: Part | None = None) -> Any:
        return seen(locals())

    @shapes.post("/with-request", bodies=[{"name": "a"}], query={"n": ["1"]}, headers={"x-a": ["b"]})
    async def with_request(
        part: Part, request: Request, n: int = 0, x_a: Annotated[str, Header()] = "", q: Any = None
    ) -> Any:
        return [seen(locals()), (await request.body()).decode("utf-8", "replace"), await request.json()]

    @shapes.post("/with-model", bodies=[{"name": "a"}], query={"page": ["1"], "tags": ["a"]})
    async def with_model(
        part: Annotated[Part, BeforeValidator(lambda value: value)], filters: Annotated[Ignoring, Query()]
    ) -> Any:
        return seen(locals())

    @shapes.post("/lenient", bodies=[{"name": "a"}], strict_content_type=False)
    async def lenient(part: Part) -> Any:
        return seen(locals())

    @shapes.post("/small", bodies=[{"name": "a"}], max_body_size=20)
    async def small(part: Part) -> Any:
        return seen(locals())

    @shapes.declare("DELETE", "/limited", bodies=[{"name": "a"}], body_limit_bytes=20)
    async def limited(part: Part) -> Any:
        return seen(locals())

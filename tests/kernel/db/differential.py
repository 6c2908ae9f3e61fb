"""Random statements over a table with a column of every type, the same for the same seed."""

import enum
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    Select,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    Uuid,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    not_,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeDecorator

from xumi.kernel.db.filters import FilterTypeEnum, Range, get_condition
from xumi.kernel.db.model import UtcDateTime

ROWS = 40
METADATA = MetaData()


class Size(enum.Enum):
    """An enumeration that PostgreSQL and MySQL have a type for."""

    SMALL = "small"
    LARGE = "large"


class Words(TypeDecorator[tuple[str, ...]]):
    """Some words in one text."""

    impl = String(60)
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Any) -> str | None:
        return None if value is None else " ".join(value)

    def process_result_value(self, value: str | None, dialect: Any) -> tuple[str, ...] | None:
        return None if value is None else tuple(value.split())


SPECIMEN = Table(
    "t_specimen",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("whole", Integer),
    Column("big", BigInteger),
    Column("small", SmallInteger, nullable=False),
    Column("name", String(40)),
    Column("summary", Text),
    Column("flag", Boolean),
    Column("ratio", Float),
    Column("measure", Double),
    Column("price", Numeric(12, 3)),
    Column("rate", Numeric(8, 2, asdecimal=False)),
    Column("day", Date),
    Column("hour", Time),
    Column("moment", DateTime(timezone=True)),
    Column("point", UtcDateTime),
    Column("span", Interval),
    Column("size", Enum(Size, name="t_size")),
    Column("form", Enum(Size, native_enum=False, length=10, values_callable=lambda e: [m.value for m in e])),
    Column("data", JSON),
    Column("body", JSON().with_variant(JSONB(), "postgresql")),
    Column("numbers", JSON().with_variant(ARRAY(Integer), "postgresql")),
    Column("blob", LargeBinary),
    Column("code", Uuid),
    Column("code_text", Uuid(as_uuid=False)),
    Column("words", Words),
)
MARK = Table(
    "t_mark",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("specimen_id", Integer),
    Column("label", String(20)),
    Column("points", Integer, nullable=False),
)

# The same table under another name, for subqueries.
OTHER = MARK.alias("other")

START = datetime(2026, 1, 1, 12, 30, 15, tzinfo=UTC)
TEXTS = ["Ångström", "50% off", "a_b", "back\\slash", "須彌山", "quote's", "", "A_B", "%s %(x)s :x ?", "🙂"]
UUIDS = [uuid.UUID(int=0xABCDEF0123456789 * number << 60, version=4) for number in range(1, 5)]

# What each column's values are drawn from; few, so that filters match and groups have several rows.
VALUES: dict[str, list[Any]] = {
    "whole": [-3, 0, 1, 2, 2**31 - 10],
    "big": [-(2**62), 0, 7, 2**53 + 1],
    "small": [-1, 0, 1, 2, 3],
    "name": TEXTS,
    "summary": [*TEXTS, "line\nbreak", "x" * 500],
    "flag": [True, False],
    "ratio": [0.5, -2.25, 1024.0],
    "measure": [0.1, 1e300, -2.5, 3.0, 1 / 3],
    "price": [Decimal("1.500"), Decimal("-0.001"), Decimal("123456789.125")],
    "rate": [1.25, -7.5, 0.0],
    "day": [date(2020, 2, 29), date(1999, 12, 31), date(2026, 1, 1)],
    "hour": [time(8, 30), time(0, 0), time(23, 59, 59)],
    "moment": [START, START + timedelta(hours=5), START - timedelta(days=400)],
    "point": [START + timedelta(microseconds=1), START, START + timedelta(days=3)],
    "span": [timedelta(0), timedelta(days=2, seconds=5), timedelta(hours=30)],
    "size": list(Size),
    "form": list(Size),
    "data": [{"a": [1, None, "ü"]}, [], "text", 1.5, {"b": {"c": True}}],
    "body": [{"a": 1}, {"a": [1, 2]}, [3]],
    "numbers": [[], [1], [1, 2, 3]],
    "blob": [b"", b"png\x00\xff", b"%s'\\"],
    "code": UUIDS,
    "code_text": [str(value) for value in UUIDS],
    "words": [("a", "b"), ("one",), ("x", "y", "z")],
}
STRUCTURED = {"data", "body", "numbers"}
# Columns with an order that all databases have, and whose values are equal to themselves after a round trip.
ORDERED = [
    "whole",
    "big",
    "small",
    "name",
    "measure",
    "price",
    "day",
    "hour",
    "point",
    "flag",
    "code",
    "form",
]
COMPARED = [name for name in VALUES if name not in STRUCTURED]


def specimens(chance: random.Random, count: int = ROWS, first: int = 1) -> list[dict[str, Any]]:
    """Rows, a quarter of their values NULL."""
    rows = []
    for number in range(first, first + count):
        row: dict[str, Any] = {"id": number}
        for name, values in VALUES.items():
            empty = SPECIMEN.c[name].nullable and chance.random() < 0.25
            row[name] = (null() if name in STRUCTURED else None) if empty else chance.choice(values)
        rows.append(row)
    return rows


def marks(chance: random.Random) -> list[dict[str, Any]]:
    """Rows that refer to some specimens several times, to others not at all."""
    return [
        {
            "id": number,
            "specimen_id": chance.choice([None, *range(1, ROWS)]),
            "label": chance.choice(["red", "green", None]),
            "points": chance.randrange(-5, 9),
        }
        for number in range(1, 61)
    ]


@dataclass(frozen=True, slots=True)
class Case:
    """A statement, and whether its order is that of its rows' keys, so that it is certain."""

    kind: str
    statement: Select[Any]
    ordered: bool


class Statements:
    """Makes statements.

    Args:
        seed: the same seed gives the same statements.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.filters: set[FilterTypeEnum] = set()
        self._kinds: list[Callable[[], tuple[Select[Any], bool]]] = [
            self._rows, self._expressions, self._groups, self._totals, self._distinct, self._joined, self._nested,
        ]  # fmt: skip

    def make(self, number: int) -> Case:
        """The next statement; the kinds take turns."""
        make = self._kinds[number % len(self._kinds)]
        statement, ordered = make()
        return Case(make.__name__.removeprefix("_"), statement, ordered)

    def columns(self, names: list[str], least: int = 1) -> list[str]:
        """Some of these names."""
        return self._chance.sample(names, self._chance.randint(least, min(len(names), 6)))

    def conditions(self) -> list[ColumnElement[bool]]:
        """None to three conditions of every kind."""
        return [self._condition() for _ in range(self._chance.choice([0, 1, 1, 2, 3]))]

    def _value(self, name: str) -> Any:
        return self._chance.choice(VALUES[name])

    def _condition(self, depth: int = 0) -> ColumnElement[bool]:
        pick = self._chance.random()
        if depth < 2 and pick < 0.15:
            join = self._chance.choice([and_, or_])
            return join(self._condition(depth + 1), self._condition(depth + 1))
        if depth < 2 and pick < 0.2:
            return not_(self._condition(depth + 1))
        if pick < 0.6:
            return self._filter()
        return self._comparison()

    def _filter(self) -> ColumnElement[bool]:
        chance = self._chance
        kind = chance.choice(list(FilterTypeEnum))
        self.filters.add(kind)
        if kind is FilterTypeEnum.Boolean:
            return get_condition(SPECIMEN.c.flag, chance.random() < 0.5, kind)
        if kind is FilterTypeEnum.Null:
            return get_condition(SPECIMEN.c[chance.choice(list(VALUES))], chance.random() < 0.5, kind)
        if kind is FilterTypeEnum.Like:
            text = chance.choice(["a", "%", "_", "\\", "'", "須", "A_b", "ON", "s"])
            return get_condition(SPECIMEN.c[chance.choice(["name", "summary"])], text, kind)
        if kind is FilterTypeEnum.Datetime:
            return get_condition(SPECIMEN.c.point, self._range("point"), kind)
        name = chance.choice([name for name in COMPARED if name != "ratio"])
        if kind is FilterTypeEnum.Range:
            name = chance.choice([name for name in ORDERED if name not in ("flag", "code", "form")])
            return get_condition(SPECIMEN.c[name], self._range(name), kind)
        if kind is FilterTypeEnum.In:
            many = chance.choice([0, 1, 2, 3, 5, 17])
            return get_condition(SPECIMEN.c[name], [self._value(name) for _ in range(many)], kind)
        return get_condition(SPECIMEN.c[name], self._value(name), kind)

    def _range(self, name: str) -> Any:
        low, high = self._value(name), self._value(name)
        return Range[Any].model_construct(
            start=low if self._chance.random() < 0.8 else None,
            end=high if self._chance.random() < 0.8 else None,
        )

    def _comparison(self) -> ColumnElement[bool]:
        chance, c = self._chance, SPECIMEN.c
        options: list[Callable[[], ColumnElement[bool]]] = [
            lambda: c.whole + c.small > chance.randrange(5),
            lambda: c.whole.between(-1, chance.randrange(4)),
            lambda: func.length(c.name) >= chance.randrange(8),
            lambda: func.lower(c.name) == chance.choice(TEXTS).lower(),
            lambda: c.name.startswith(chance.choice(["a", "50%", "須"]), autoescape=True),
            lambda: c.name.not_in([self._value("name") for _ in range(chance.randrange(4))]),
            lambda: c.id.in_(select(OTHER.c.specimen_id).where(OTHER.c.points > chance.randrange(6))),
            lambda: exists().where(OTHER.c.specimen_id == c.id, OTHER.c.label == chance.choice(["red", "blue"])),
            lambda: func.coalesce(c.price, Decimal("0.5")) < Decimal("1.5"),
            lambda: case((c.flag, c.whole), else_=literal(1)) == chance.randrange(3),
            lambda: c.span > timedelta(hours=chance.randrange(40)),
            lambda: c.size != chance.choice(list(Size)),
            lambda: c.words == chance.choice(VALUES["words"]),
        ]  # fmt: skip
        return chance.choice(options)()

    def _limited(self, statement: Select[Any]) -> Select[Any]:
        if self._chance.random() < 0.4:
            statement = statement.limit(self._chance.choice([0, 1, 3, 10]))
            if self._chance.random() < 0.5:
                statement = statement.offset(self._chance.randrange(5))
        return statement

    def _sorted(self, statement: Select[Any]) -> Select[Any]:
        terms = []
        for name in self._chance.sample(ORDERED, self._chance.randrange(3)):
            column = SPECIMEN.c[name]
            terms.append(column.desc() if self._chance.random() < 0.5 else column.asc())
        return statement.order_by(*terms, SPECIMEN.c.id)

    def _rows(self) -> tuple[Select[Any], bool]:
        everything = self._chance.random() < 0.3
        wanted = [SPECIMEN] if everything else [SPECIMEN.c[name] for name in self.columns(list(VALUES))]
        return self._limited(self._sorted(select(*wanted).where(*self.conditions()))), True

    def _expressions(self) -> tuple[Select[Any], bool]:
        chance, c = self._chance, SPECIMEN.c
        points = (
            select(func.sum(OTHER.c.points))
            .where(OTHER.c.specimen_id == c.id)
            .correlate(SPECIMEN)
            .scalar_subquery()
        )
        options: list[ColumnElement[Any]] = [
            func.lower(c.name), func.length(c.summary), func.coalesce(c.whole, chance.randrange(9)), func.abs(c.small),
            c.whole - c.small, c.small * 2, c.small / 2, c.measure / 2.0, c.price * 2, c.name + literal(" x%"),
            case((c.small > 1, literal("high")), (c.small < 0, c.name), else_=literal("low")),
            case((c.flag.is_(True), c.day)), cast(c.small, String(10)), cast(c.name, Text), cast(c.whole, Numeric(14, 2)),
            literal(1), literal("a'b\\"), literal(Decimal("1.25")), literal(None), null(), literal(START, UtcDateTime()),
            points, c.whole.is_(None), c.small.in_([1, 2]), c.small > 1, func.nullif(c.small, 1),
            func.upper(c.name), func.coalesce(c.point, literal(START, UtcDateTime())), c.id % 3, -c.small,
        ]  # fmt: skip
        chosen = chance.sample(options, chance.randint(1, 6))
        labelled = [expression.label(f"e{index}") for index, expression in enumerate(chosen)]
        return self._limited(
            self._sorted(select(*labelled).select_from(SPECIMEN).where(*self.conditions()))
        ), True

    def _groups(self) -> tuple[Select[Any], bool]:
        chance, c = self._chance, SPECIMEN.c
        by = [
            c[name]
            for name in chance.sample(["flag", "small", "name", "size", "form", "day", "code", "words"], 2)
        ]
        statement = select(*by, *self._aggregates()).where(*self.conditions()).group_by(*by)
        if chance.random() < 0.4:
            statement = statement.having(func.count() > chance.randrange(3))
        return statement, False

    def _totals(self) -> tuple[Select[Any], bool]:
        return select(*self._aggregates()).select_from(SPECIMEN).where(*self.conditions()), True

    def _aggregates(self) -> list[ColumnElement[Any]]:
        c = SPECIMEN.c
        options = [
            func.count(), func.count(c.whole), func.count(c.name.distinct()), func.sum(c.small), func.sum(c.whole),
            func.avg(c.small), func.min(c.point), func.max(c.point), func.max(c.day), func.min(c.hour), func.max(c.name),
            func.sum(c.price), func.avg(c.price), func.max(c.price), func.min(c.measure), func.max(c.form),
            func.sum(case((c.flag, 1), else_=0)), func.min(c.span), func.max(c.rate),
        ]  # fmt: skip
        chosen = self._chance.sample(options, self._chance.randint(1, 5))
        return [expression.label(f"a{index}") for index, expression in enumerate(chosen)]

    def _distinct(self) -> tuple[Select[Any], bool]:
        names = [name for name in COMPARED if name not in ("ratio", "blob")]
        wanted = [SPECIMEN.c[name] for name in self._chance.sample(names, self._chance.randint(1, 2))]
        return select(*wanted).where(*self.conditions()).distinct(), False

    def _joined(self) -> tuple[Select[Any], bool]:
        c, outer = SPECIMEN.c, self._chance.random() < 0.5
        names = self.columns(list(VALUES))
        statement = select(
            c.id, *[c[name] for name in names], MARK.c.id.label("mark"), MARK.c.label, MARK.c.points
        )
        joined = SPECIMEN.join(MARK, MARK.c.specimen_id == c.id, isouter=outer)
        statement = statement.select_from(joined).where(*self.conditions())
        return self._limited(statement.order_by(c.id, MARK.c.id)), True

    def _nested(self) -> tuple[Select[Any], bool]:
        names = self.columns([name for name in VALUES if name != "ratio"])
        inner = select(SPECIMEN.c.id, *[SPECIMEN.c[name] for name in names]).where(*self.conditions())
        part = inner.cte("part") if self._chance.random() < 0.5 else inner.subquery("part")
        return self._limited(
            select(part).where(part.c.id > self._chance.randrange(9)).order_by(part.c.id)
        ), True

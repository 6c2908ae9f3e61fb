"""Filters of lists: from what a client sent to conditions.

    statement = add_filters(select(User), query, {
        User.username: FilterTypeEnum.Like,
        User.created_at: FilterTypeEnum.Datetime,
    })

A filter reads the field of the query that has the column's name; a field that is None filters nothing. Plain conditions
(`.where(User.age > 3)`) can be mixed with these.
"""

import enum
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from sqlalchemy import ColumnElement, Select, and_, true

from xumi.kernel.errors import APICode, APIException, FieldError

T = TypeVar("T")
StatementT = TypeVar("StatementT", bound=Select[*tuple[Any, ...]])

MAX_IN_VALUES = 1000
_ESCAPE = "\\"


class FilterTypeEnum(enum.Enum):
    """How a value is compared with a column."""

    Equals = "equals"
    """The same value."""
    In = "in"
    """One of a list of at most 1000 values."""
    Like = "like"
    """Contains the text, in either case; `%` and `_` stand for themselves."""
    Range = "range"
    """From `.start` to `.end`, both included and both optional."""
    Datetime = "datetime"
    """The same for aware points in time."""
    Boolean = "boolean"
    """True or false."""
    Null = "null"
    """True: has no value. False: has one."""


class Range(BaseModel, Generic[T]):
    """From `start` to `end`, both included; either may be left out. In a query string: `3..7`, `3..` or `..7`."""

    model_config = ConfigDict(extra="forbid")

    start: T | None = None
    end: T | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        start, dots, end = value.partition("..")
        if not dots:
            raise ValueError("must be start..end, start.. or ..end")
        return {"start": start or None, "end": end or None}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Either form is allowed."""
        text = {"type": "string", "pattern": r"\.\.", "description": "start..end, start.. or ..end"}
        return {"anyOf": [handler(core_schema), text]}


DatetimeRange = Range[AwareDatetime]
"""A range of aware points in time; a time without a zone is refused."""


def add_filters(statement: StatementT, query: Any, filters: Mapping[Any, FilterTypeEnum]) -> StatementT:
    """The statement with a condition for every field of `query` that is set.

    Args:
        statement: what is filtered.
        query: an object, or a mapping, with a field for each column by its attribute's name.
        filters: how each column is compared.

    Raises:
        APIException: 422 naming the field, a value does not fit its filter.
        TypeError: the query has no such field.
    """
    conditions = []
    find = query.get if isinstance(query, Mapping) else lambda name: _attribute(query, name)
    for column, kind in filters.items():
        value = find(column.key)
        if value is not None and not (kind is FilterTypeEnum.Like and value == ""):
            conditions.append(get_condition(column, value, kind))
    return statement.where(*conditions) if conditions else statement


def _attribute(query: Any, name: str) -> Any:
    try:
        return getattr(query, name)
    except AttributeError:
        raise TypeError(
            f"{type(query).__name__} has no field {name!r} to filter by: add it, or drop the filter."
        ) from None


def get_condition(column: Any, value: Any, kind: FilterTypeEnum) -> ColumnElement[bool]:
    """One condition, for `where` or `having`.

    Raises:
        APIException: 422 naming the column, the value does not fit the filter.
    """
    return _CONDITIONS[kind](column, value)


def _refuse(column: Any, reason: str) -> APIException:
    return APIException(
        APICode.VALIDATION_FAILED, errors=[FieldError(str(getattr(column, "key", "value")), reason)]
    )


def _equals(column: Any, value: Any) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = column == _aware(column, value)
    return condition


def _in(column: Any, value: Any) -> ColumnElement[bool]:
    if not isinstance(value, list | tuple | set | frozenset):
        raise _refuse(column, "must be a list")
    if len(value) > MAX_IN_VALUES:
        raise _refuse(column, f"must have at most {MAX_IN_VALUES} values")
    condition: ColumnElement[bool] = column.in_([_aware(column, item) for item in value])
    return condition


def _like(column: Any, value: Any) -> ColumnElement[bool]:
    if not isinstance(value, str):
        raise _refuse(column, "must be a text")
    for character in (_ESCAPE, "%", "_"):
        value = value.replace(character, _ESCAPE + character)
    condition: ColumnElement[bool] = column.ilike(f"%{value}%", escape=_ESCAPE)
    return condition


def _range(column: Any, value: Any) -> ColumnElement[bool]:
    start, end = _ends(column, value)
    conditions: list[ColumnElement[bool]] = []
    if start is not None:
        conditions.append(column >= _aware(column, start))
    if end is not None:
        conditions.append(column <= _aware(column, end))
    return and_(true(), *conditions)


def _ends(column: Any, value: Any) -> tuple[Any, Any]:
    if isinstance(value, Mapping):
        return value.get("start"), value.get("end")
    if hasattr(value, "start") and hasattr(value, "end"):
        return value.start, value.end
    raise _refuse(column, "must have start and end")


def _datetime(column: Any, value: Any) -> ColumnElement[bool]:
    for point in _ends(column, value):
        if point is not None and not isinstance(point, datetime):
            raise _refuse(column, "must be points in time")
    return _range(column, value)


def _boolean(column: Any, value: Any) -> ColumnElement[bool]:
    if not isinstance(value, bool):
        raise _refuse(column, "must be true or false")
    condition: ColumnElement[bool] = column.is_(value)
    return condition


def _null(column: Any, value: Any) -> ColumnElement[bool]:
    if not isinstance(value, bool):
        raise _refuse(column, "must be true or false")
    condition: ColumnElement[bool] = column.is_(None) if value else column.is_not(None)
    return condition


def _aware(column: Any, value: Any) -> Any:
    """A time without a zone means something else on every machine."""
    if isinstance(value, datetime) and value.tzinfo is None:
        raise _refuse(column, "must have a time zone, as in 2026-01-31T08:00:00+08:00 or …Z")
    return value


_CONDITIONS: dict[FilterTypeEnum, Callable[[Any, Any], ColumnElement[bool]]] = {
    FilterTypeEnum.Equals: _equals,
    FilterTypeEnum.In: _in,
    FilterTypeEnum.Like: _like,
    FilterTypeEnum.Range: _range,
    FilterTypeEnum.Datetime: _datetime,
    FilterTypeEnum.Boolean: _boolean,
    FilterTypeEnum.Null: _null,
}

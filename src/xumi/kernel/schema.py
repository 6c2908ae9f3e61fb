"""What goes in and out of the API: the base classes of schemas."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

RowId = Annotated[str, Field(examples=["01KA4S0Z7Y3T5C1B9FQ8H2MKVD"])]
"""A row's id in an answer; the documentation shows one."""
Moment = Annotated[datetime, Field(examples=["2026-11-21T09:30:00Z"])]
"""A point in time in an answer; the documentation shows one."""


class SchemaBase(BaseModel):
    """Base of what an endpoint returns, and of queries. It can be read from a row or an entity by attribute."""

    # Built when it is first used: half of what an application declares one process never needs.
    model_config = ConfigDict(from_attributes=True, defer_build=True)


T = TypeVar("T")


def refuse_nul(value: T) -> T:
    """The value, unless NUL stands in a text, or in a list or an object of texts; for `AfterValidator` where no `InputSchema` is.

    Raises:
        ValueError: it does.
    """
    if _has_nul(value):
        raise ValueError("must not contain the character NUL")
    return value


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list | tuple | set | frozenset) and any(map(_has_nul, value))


class InputSchema(SchemaBase):
    """Base of a body that creates or changes something, and of what is asked of lists.

    An unknown field is an error, so that a misspelt one is not silently dropped; a text with a NUL character is one too,
    because PostgreSQL cannot store it. So is a number that is too large for a `float`.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _refuse_nul(cls, value: Any) -> Any:
        return refuse_nul(value)

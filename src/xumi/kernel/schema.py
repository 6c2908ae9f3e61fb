"""What goes in and out of the API: the base classes of schemas."""

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator


class SchemaBase(BaseModel):
    """Base of what an endpoint returns, and of queries. It can be read from a row or an entity by attribute."""

    model_config = ConfigDict(from_attributes=True)


class InputSchema(SchemaBase):
    """Base of a body that creates or changes something.

    An unknown field is an error, so that a misspelt one is not silently dropped; a text with a NUL character is one too,
    because PostgreSQL cannot store it. So is a number that is too large for a `float`.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _refuse_nul(cls, value: Any) -> Any:
        if isinstance(value, str) and "\0" in value:
            raise ValueError("must not contain the character NUL")
        return value

"""What goes in and out of the note endpoints."""

from typing import Annotated

from pydantic import Field

from xumi.kernel import InputSchema, SchemaBase


class NoteCreate(InputSchema):
    """A new note."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, Field(max_length=2000)]
    stars: Annotated[int, Field(ge=0, le=5)]
    tags: list[str] = Field([], max_length=10)


class NoteChecked(SchemaBase):
    """A note that could be stored."""

    title: str
    length: int
    stars: int
    tags: list[str]


class Greeting(SchemaBase):
    """What a greeting says."""

    text: str
    times: int

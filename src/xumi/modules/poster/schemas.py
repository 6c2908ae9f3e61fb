"""What goes in and out of the poster endpoints."""

from datetime import datetime

from pydantic import Field

from xumi.kernel.schema import InputSchema, SchemaBase


class PosterCreate(InputSchema):
    """A new poster."""

    title: str = Field(min_length=1, max_length=200)
    content: str = Field(min_length=1, max_length=20_000)


class PosterOut(SchemaBase):
    """A poster as readers see it."""

    id: str
    title: str
    content: str
    author: str
    author_id: str
    created_at: datetime

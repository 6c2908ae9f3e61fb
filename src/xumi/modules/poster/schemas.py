"""What goes in and out of the poster endpoints."""

from pydantic import Field

from xumi.kernel.schema import InputSchema, Moment, RowId, SchemaBase


class PosterCreate(InputSchema):
    """A new poster."""

    title: str = Field(min_length=1, max_length=200, examples=["Summer party"])
    content: str = Field(min_length=1, max_length=20_000, examples=["On Friday at six, in the yard."])


class PosterOut(SchemaBase):
    """A poster as readers see it."""

    id: RowId
    title: str = Field(examples=["Summer party"])
    content: str = Field(examples=["On Friday at six, in the yard."])
    author: str = Field(examples=["amy"])
    author_id: RowId
    created_at: Moment

"""What goes in and out of the endpoints of categories."""

from typing import Annotated

import msgspec
from pydantic import Field

from xumi.kernel.schema import InputSchema, RowId, SchemaBase
from xumi.modules.shop.catalog.schemas.fields import Id, Order, Picture, ShortName


class CategoryNode(msgspec.Struct):
    """A category with those below it, as customers see it."""

    id: Annotated[str, msgspec.Meta(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])]
    name: Annotated[str, msgspec.Meta(examples=["Bamboo cup"])]
    picture: Annotated[str | None, msgspec.Meta(examples=["/files/bamboo-cup.webp"])]
    children: list["CategoryNode"] = msgspec.field(default_factory=list)


class CategoryOut(SchemaBase):
    """A category."""

    id: RowId
    parent_id: str | None = Field(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])
    name: str = Field(examples=["Bamboo cup"])
    picture: str | None = Field(examples=["/files/bamboo-cup.webp"])
    order: int = Field(examples=[0])
    hidden: bool


class CategoryBranch(CategoryOut):
    """A category with those below it."""

    children: list["CategoryBranch"] = Field(default_factory=list)


class CategoryCreate(InputSchema):
    """A new category."""

    parent_id: Id | None = Field(None, description="The one above it; without one it stands at the top.")
    name: ShortName = Field(examples=["Tea"])
    picture: Picture | None = None
    order: Order = 0
    hidden: bool = Field(False, description="Customers see neither it nor what is below it.")


class CategoryChange(InputSchema):
    """What shall be different about a category; what is left out stays."""

    name: ShortName | None = Field(None, examples=["Green tea"])
    picture: Picture | None = Field(None, description="null takes it away.")
    order: Order | None = None
    hidden: bool | None = None


class CategoryMove(InputSchema):
    """Where a category shall stand."""

    parent_id: Id | None = Field(
        description="The one above it; null for the top.", examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"]
    )
    order: Order | None = None

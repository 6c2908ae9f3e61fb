"""What goes in and out of the endpoints of SKUs."""

from typing import Annotated, Any

import msgspec
from pydantic import Field, ValidationInfo, field_validator

from xumi.kernel.schema import InputSchema, RowId, SchemaBase
from xumi.modules.shop.catalog.constants import MAX_GRAMS, MAX_OPTIONS, MAX_PIECES
from xumi.modules.shop.catalog.schemas.fields import LINE, Code, Order, Picture, Price

OptionName = Annotated[str, Field(min_length=1, max_length=32), LINE]
OptionValue = Annotated[str, Field(min_length=1, max_length=64), LINE]
Options = Annotated[
    dict[OptionName, OptionValue],
    Field(
        max_length=MAX_OPTIONS,
        description="By which customers tell it from the product's other SKUs.",
        examples=[{"Colour": "red"}],
    ),
]
Grams = Annotated[int, Field(ge=0, le=MAX_GRAMS, description="Weight of one piece.")]
Pieces = Annotated[int, Field(ge=0, le=MAX_PIECES)]


class SkuView(msgspec.Struct):
    """A SKU as customers see it."""

    id: Annotated[str, msgspec.Meta(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])]
    code: Annotated[str, msgspec.Meta(examples=["CUP-1"])]
    options: Annotated[dict[str, str], msgspec.Meta(examples=[{"Colour": "red"}])]
    price_fen: Annotated[int, msgspec.Meta(examples=[2900])]
    list_price_fen: Annotated[
        int | None, msgspec.Meta(examples=[3900], description="The price that is shown struck through.")
    ]
    weight_grams: Annotated[int, msgspec.Meta(examples=[180])]
    picture: Annotated[str | None, msgspec.Meta(examples=["/files/bamboo-cup.webp"])]
    order: Annotated[int, msgspec.Meta(examples=[0])]
    available: Annotated[int, msgspec.Meta(examples=[97], description="How many pieces are left.")]


class Offer(SchemaBase):
    """A SKU with what carts and orders need to know of it and of its product."""

    sku_id: str
    product_id: str
    code: str
    name: str
    options: dict[str, Any]
    picture: str | None
    price_fen: int
    weight_grams: int
    freight_template_id: str | None
    limit_per_user: int | None
    on_sale: bool


class SkuOut(SchemaBase):
    """A SKU as the staff sees it."""

    id: RowId
    product_id: str = Field(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])
    code: str = Field(examples=["CUP-1"])
    options: dict[str, Any] = Field(examples=[{"Colour": "red"}])
    price_fen: int = Field(examples=[2900])
    list_price_fen: int | None = Field(examples=[3900])
    weight_grams: int = Field(examples=[180])
    picture: str | None = Field(examples=["/files/bamboo-cup.webp"])
    order: int = Field(examples=[0])
    enabled: bool
    available: int = Field(examples=[97])
    reserved: int = Field(examples=[2])
    sold: int = Field(examples=[1])


class SkuCreate(InputSchema):
    """A new SKU."""

    code: Code = Field(description="Unique.", examples=["CUP-1-RED"])
    options: Options = Field(default_factory=dict)
    price_fen: Price
    list_price_fen: Price | None = Field(
        None, description="The price that is shown struck through; not below `price_fen`."
    )
    weight_grams: Grams = 0
    picture: Picture | None = None
    order: Order | None = Field(None, description="The smallest comes first; by default it is the last.")
    enabled: bool = True
    stock: Pieces = Field(0, description="How many pieces there are.", examples=[100])
    low_at: Pieces = Field(0, description="When so few are left, `stock.low` is told.")

    @field_validator("list_price_fen")
    @classmethod
    def _check_list_price(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value < info.data.get("price_fen", 0):
            raise ValueError("must not be below price_fen")
        return value


class SkuChange(InputSchema):
    """What shall be different about a SKU; what is left out stays, and null empties what can be empty."""

    code: Code | None = Field(None, description="Unique.", examples=["CUP-1-RED"])
    options: Options | None = None
    price_fen: Price | None = None
    list_price_fen: Price | None = None
    weight_grams: Grams | None = None
    picture: Picture | None = None
    order: Order | None = None
    enabled: bool | None = None

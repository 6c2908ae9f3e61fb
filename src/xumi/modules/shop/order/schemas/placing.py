"""Previews and new orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from xumi.kernel.ids import KEY_LENGTH
from xumi.kernel.schema import InputSchema, SchemaBase
from xumi.modules.shop.order.constants import MAX_LINES, MAX_QUANTITY, NOTE_MAX_LENGTH

Key = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH)]
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY, description="Pieces.")]
_SKU = "01KAGZ7C2F4G6H8J0K1M3N5P7Q"
_ADDRESS = "01KAGZ9D3G5H7J9K2M4N6P8Q0R"


class PreviewLine(InputSchema):
    """A SKU that is wanted."""

    sku_id: Key
    quantity: Quantity


class WantedLine(PreviewLine):
    """A SKU that is wanted at the price that the customer saw."""

    price_fen: Annotated[
        int, Field(ge=1, le=10**12, description="The price that the customer saw, of a piece.")
    ]


def refuse_twice(lines: Sequence[Any]) -> None:
    """Lines must name each SKU once.

    Raises:
        ValueError: they do not.
    """
    if len({line.sku_id for line in lines}) < len(lines):
        raise ValueError("lines must not name a SKU twice: add their quantities")


class OrderPreview(InputSchema):
    """What an order would cost."""

    address_id: Annotated[
        Key | None, Field(description="Where it would be sent; without one there is no freight yet.")
    ] = None
    lines: Annotated[list[PreviewLine], Field(min_length=1, max_length=MAX_LINES)]

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"address_id": _ADDRESS, "lines": [{"sku_id": _SKU, "quantity": 2}]}]}
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_twice(self.lines)
        return self


class OrderCreate(InputSchema):
    """A new order."""

    address_id: Key
    lines: Annotated[list[WantedLine], Field(min_length=1, max_length=MAX_LINES)]
    note: Annotated[str | None, Field(max_length=NOTE_MAX_LENGTH, description="For the shop.")] = None
    from_cart: Annotated[bool, Field(description="Take the lines out of the cart.")] = False

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "address_id": _ADDRESS,
                    "lines": [{"sku_id": _SKU, "quantity": 2, "price_fen": 12900}],
                    "note": "Please ring twice",
                    "from_cart": True,
                }
            ]
        }
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_twice(self.lines)
        return self


class PreviewLineOut(SchemaBase):
    """A line as it would be ordered; `available` says what is left of it."""

    sku_id: str
    product_id: str
    name: str
    options: dict[str, Any]
    picture: str | None
    price_fen: int
    quantity: int
    discount_fen: int
    total_fen: int
    available: int
    on_sale: bool


class OrderPreviewOut(SchemaBase):
    """What an order would cost now. `orderable` is false while a line is off sale or too few are left."""

    lines: list[PreviewLineOut]
    goods_fen: int
    freight_fen: int
    discount_fen: int
    total_fen: int
    orderable: bool

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "lines": [
                        {
                            "sku_id": _SKU,
                            "product_id": "01KAGZ5S4VJ1F2PXJ9C7Q3M8RD",
                            "name": "Bamboo cup",
                            "options": {"Colour": "green"},
                            "picture": "/pictures/cup.webp",
                            "price_fen": 12900,
                            "quantity": 2,
                            "discount_fen": 0,
                            "total_fen": 25800,
                            "available": 7,
                            "on_sale": True,
                        }
                    ],
                    "goods_fen": 25800,
                    "freight_fen": 800,
                    "discount_fen": 0,
                    "total_fen": 26600,
                    "orderable": True,
                }
            ]
        }
    )


class OrderPlacedOut(SchemaBase):
    """An order that was placed: pay `total_fen` until `expires_at`."""

    number: str
    total_fen: int
    expires_at: datetime

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "number": "4839201746352910",
                    "total_fen": 26600,
                    "expires_at": "2026-11-21T10:00:00.123456Z",
                }
            ]
        }
    )

"""What goes in and out of the endpoints of carts."""

from typing import Annotated, Any

import msgspec
from pydantic import ConfigDict, Field

from xumi.kernel.ids import KEY_LENGTH
from xumi.kernel.schema import InputSchema
from xumi.modules.shop.cart.constants import MAX_GUEST_QUANTITY, MAX_LINES, MAX_QUANTITY
from xumi.modules.shop.cart.enums import CutReason

_SKU = "01KA4S7D3M5V9Q2W8XJ6N0RTEB"
_PRODUCT = "01KA4S7D3M5V9Q2W8XJ6N0RTEC"


class CartLineInput(InputSchema):
    """How many pieces of a SKU shall be in the cart."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"quantity": 2, "selected": True}]})

    quantity: int = Field(ge=1, le=MAX_QUANTITY)
    selected: bool = Field(True, description="Whether it counts for the totals, and shall be ordered.")


class GuestLine(InputSchema):
    """A line of a cart that a client kept before its user had signed in."""

    sku_id: str = Field(max_length=KEY_LENGTH)
    quantity: int = Field(ge=1, le=MAX_GUEST_QUANTITY)


class CartMerge(InputSchema):
    """A guest's cart."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"lines": [{"sku_id": _SKU, "quantity": 2}]}]})

    lines: list[GuestLine] = Field(max_length=2 * MAX_LINES)


class CartLineView(msgspec.Struct):
    """A line of a cart with what is true of its SKU now."""

    sku_id: str
    product_id: str
    code: str
    name: str
    options: dict[str, Any]
    picture: str | None
    quantity: int
    selected: bool
    price_fen: Annotated[int, msgspec.Meta(description="The present price of one piece.")]
    seen_price_fen: Annotated[int, msgspec.Meta(description="The price when the line was last put in.")]
    price_changed: bool
    available: Annotated[int, msgspec.Meta(description="How many pieces are left.")]
    on_sale: bool
    orderable: Annotated[bool, msgspec.Meta(description="It is on sale, and there are enough pieces.")]


class CartView(msgspec.Struct):
    """A cart, the newest line first. The totals are those of the lines that are selected and orderable."""

    lines: list[CartLineView]
    total_quantity: int
    total_fen: Annotated[int, msgspec.Meta(description="Without freight and discount.")]


class Cut(msgspec.Struct):
    """A line that was not taken over as it was; `kept` pieces of it are in the cart."""

    sku_id: str
    asked: int
    kept: int
    reason: CutReason


class MergeReport(msgspec.Struct):
    """What became of a guest's cart: all of it is in the cart now but for what was cut."""

    cut: list[Cut]


CART_EXAMPLE = {
    "lines": [
        {
            "sku_id": _SKU,
            "product_id": _PRODUCT,
            "code": "CUP-1-RED",
            "name": "Bamboo cup",
            "options": {"Colour": "red"},
            "picture": "/files/bamboo-cup.webp",
            "quantity": 2,
            "selected": True,
            "price_fen": 2900,
            "seen_price_fen": 3100,
            "price_changed": True,
            "available": 12,
            "on_sale": True,
            "orderable": True,
        }
    ],
    "total_quantity": 2,
    "total_fen": 5800,
}
REPORT_EXAMPLE = {"cut": [{"sku_id": _SKU, "asked": 1200, "kept": 999, "reason": "quantity"}]}

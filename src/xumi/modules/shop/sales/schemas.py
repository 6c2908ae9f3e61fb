"""What the endpoints of sales give."""

from datetime import date

import msgspec
from pydantic import ConfigDict, Field

from xumi.kernel.schema import SchemaBase


class DailySalesOut(SchemaBase):
    """What happened in the shop on a day in China."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "day": "2026-11-21",
                    "placed": 12,
                    "paid": 9,
                    "paid_fen": 158_700,
                    "ended": 2,
                    "refunded_fen": 2900,
                    "new_customers": 4,
                }
            ]
        }
    )

    day: date
    placed: int = Field(0, description="Orders that were placed.")
    paid: int = Field(0, description="Orders that were paid.")
    paid_fen: int = 0
    ended: int = Field(0, description="Orders that were cancelled, or closed because nobody paid.")
    refunded_fen: int = Field(0, description="Of orders that were cancelled after they were paid.")
    new_customers: int = Field(0, description="Users who paid their first order.")


class BestSellerOut(SchemaBase):
    """A product and what was sold of it, without what was taken back."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "product_id": "01KA4S7D3M5V9Q2W8XJ6N0RTEB",
                    "name": "Bamboo cup",
                    "picture": "/files/bamboo-cup.webp",
                    "quantity": 31,
                    "fen": 89_900,
                }
            ]
        }
    )

    product_id: str
    name: str
    picture: str | None
    quantity: int
    fen: int


class Difference(msgspec.Struct, frozen=True):
    """A figure that is not what the orders say; `figure` is like `2026-11-21 paid`."""

    figure: str
    counted: int | str | None
    actual: int | str | None

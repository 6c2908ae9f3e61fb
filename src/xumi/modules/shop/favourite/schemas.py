"""What the endpoints of favourites give."""

from datetime import datetime

from pydantic import ConfigDict, Field

from xumi.kernel.schema import SchemaBase


class FavouriteOut(SchemaBase):
    """A product that a customer likes, as it is now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "product_id": "01KA4S7D3M5V9Q2W8XJ6N0RTEB",
                    "name": "Bamboo cup",
                    "picture": "/files/bamboo-cup.webp",
                    "price_fen": 2900,
                    "on_sale": True,
                    "created_at": "2026-11-21T09:30:00Z",
                }
            ]
        }
    )

    product_id: str
    name: str
    picture: str | None
    price_fen: int = Field(description="The lowest price of its SKUs.")
    on_sale: bool = Field(description="False: it cannot be bought at present.")
    created_at: datetime = Field(description="When it became a favourite.")

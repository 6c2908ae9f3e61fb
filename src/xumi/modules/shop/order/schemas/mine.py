"""Orders as their customers see them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, SchemaBase
from xumi.modules.shop.order.constants import REASON_MAX_LENGTH
from xumi.modules.shop.order.enums import OrderState


class MyOrderQuery(PaginateRequest):
    """Which of one's orders."""

    state: Annotated[OrderState | None, Field(description="Only those in this state.")] = None


class OrderCancel(InputSchema):
    """Why an order is cancelled."""

    reason: Annotated[str | None, Field(max_length=REASON_MAX_LENGTH, examples=["Ordered by mistake"])] = None


class MyOrderListed(SchemaBase):
    """An order in a list, with its first line to show it by."""

    number: Annotated[str, Field(examples=["4839201746352910"])]
    state: Annotated[OrderState, Field(examples=["unpaid"])]
    total_fen: Annotated[int, Field(examples=[26600])]
    name: Annotated[str, Field(description="Of the first line.", examples=["Bamboo cup"])]
    picture: Annotated[str | None, Field(examples=["/pictures/cup.webp"])]
    pieces: Annotated[int, Field(description="In all lines.", examples=[2])]
    expires_at: Annotated[datetime, Field(examples=["2026-11-21T10:00:00.123456Z"])]
    created_at: Annotated[datetime, Field(examples=["2026-11-21T09:30:00.123456Z"])]


class OrderLineOut(SchemaBase):
    """A line as it was when the order was placed."""

    sku_id: str
    product_id: str
    sku_code: str
    name: str
    options: dict[str, Any]
    picture: str | None
    price_fen: int
    quantity: int
    discount_fen: int
    total_fen: int
    shipped: int


class ShipmentOut(SchemaBase):
    """A parcel."""

    carrier: str
    tracking_number: str
    created_at: datetime


class MyOrderOut(SchemaBase):
    """An order with its lines and parcels."""

    number: str
    state: OrderState
    goods_fen: int
    freight_fen: int
    discount_fen: int
    total_fen: int
    address: dict[str, Any]
    note: str | None
    expires_at: datetime
    paid_at: datetime | None
    shipped_at: datetime | None
    completed_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    lines: list[OrderLineOut]
    shipments: list[ShipmentOut]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "number": "4839201746352910",
                    "state": "shipped",
                    "goods_fen": 25800,
                    "freight_fen": 800,
                    "discount_fen": 0,
                    "total_fen": 26600,
                    "address": {
                        "name": "Li Lei",
                        "mobile": "13800000000",
                        "province": "浙江省",
                        "city": "杭州市",
                        "district": "西湖区",
                        "detail": "1 Bamboo Lane",
                    },
                    "note": None,
                    "expires_at": "2026-11-21T10:00:00.123456Z",
                    "paid_at": "2026-11-21T09:31:00.123456Z",
                    "shipped_at": "2026-11-21T15:00:00.123456Z",
                    "completed_at": None,
                    "ended_at": None,
                    "created_at": "2026-11-21T09:30:00.123456Z",
                    "lines": [
                        {
                            "sku_id": "01KAGZ7C2F4G6H8J0K1M3N5P7Q",
                            "product_id": "01KAGZ5S4VJ1F2PXJ9C7Q3M8RD",
                            "sku_code": "CUP-GREEN",
                            "name": "Bamboo cup",
                            "options": {"Colour": "green"},
                            "picture": "/pictures/cup.webp",
                            "price_fen": 12900,
                            "quantity": 2,
                            "discount_fen": 0,
                            "total_fen": 25800,
                            "shipped": 2,
                        }
                    ],
                    "shipments": [
                        {
                            "carrier": "SF Express",
                            "tracking_number": "SF1234567890",
                            "created_at": "2026-11-21T15:00:00.123456Z",
                        }
                    ],
                }
            ]
        }
    )

"""Orders as the staff sees and handles them."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from xumi.kernel.db.filters import DatetimeRange, Range
from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, SchemaBase
from xumi.modules.shop.order.constants import MAX_LINES, MAX_QUANTITY, REASON_MAX_LENGTH, REMARK_MAX_LENGTH
from xumi.modules.shop.order.enums import OrderState
from xumi.modules.shop.order.schemas.mine import MyOrderOut
from xumi.modules.shop.order.schemas.placing import Key, refuse_twice

_ID = "01KAGZB3E5G7J9K1M3P5R7T9V1"
_SKU = "01KAGZ7C2F4G6H8J0K1M3N5P7Q"
_TIME = "2026-11-21T09:30:00.123456Z"
_MINE: Any = MyOrderOut.model_config["json_schema_extra"]


class ShopOrderQuery(PaginateRequest):
    """Which orders are wanted; sorted by `created_at` or `total_fen`."""

    number: str | None = Field(None, max_length=20, description="The whole number.")
    user_id: Key | None = Field(None, description="Whose.")
    department_id: Key | None = Field(None, description="Who handles them.")
    state: OrderState | None = None
    total_fen: Range[int] | None = Field(None, description="What they cost.")
    created_at: DatetimeRange | None = Field(None, description="When they were placed.")


class ShopOrderListed(SchemaBase):
    """An order in a list of the staff."""

    number: str = Field(examples=["4839201746352910"])
    user_id: str = Field(examples=[_ID])
    department_id: str | None = Field(examples=[None])
    state: OrderState = Field(examples=["paid"])
    goods_fen: int = Field(examples=[25800])
    freight_fen: int = Field(examples=[800])
    discount_fen: int = Field(examples=[0])
    total_fen: int = Field(examples=[26600])
    note: str | None = Field(description="From the customer.", examples=["Please ring twice"])
    remark: str | None = Field(description="From the staff.", examples=[None])
    created_at: datetime = Field(examples=[_TIME])
    paid_at: datetime | None = Field(examples=["2026-11-21T09:31:00.123456Z"])
    shipped_at: datetime | None = Field(examples=[None])


class ChangeOut(SchemaBase):
    """A change of an order's state, who made it and why."""

    before: OrderState | None
    after: OrderState
    actor_id: str | None
    reason: str | None
    created_at: datetime


class ShopOrderOut(MyOrderOut):
    """An order with its lines, its parcels and what became of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_MINE["examples"][0],
                    "user_id": _ID,
                    "department_id": None,
                    "remark": "Pack it well",
                    "changes": [
                        {
                            "before": "unpaid",
                            "after": "cancelled",
                            "actor_id": _ID,
                            "reason": "Ordered by mistake",
                            "created_at": _TIME,
                        }
                    ],
                }
            ]
        }
    )

    user_id: str
    department_id: str | None
    remark: str | None
    changes: list[ChangeOut] = Field(description="From the first to the last.")


class PackedLine(InputSchema):
    """Pieces of a line that are in a parcel."""

    sku_id: Key
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]


class ShipmentCreate(InputSchema):
    """A parcel that is on its way."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "carrier": "SF Express",
                    "tracking_number": "SF1234567890",
                    "lines": [{"sku_id": _SKU, "quantity": 1}],
                }
            ]
        }
    )

    carrier: str = Field(min_length=1, max_length=64)
    tracking_number: str = Field(min_length=1, max_length=64, description="Unique for the carrier.")
    lines: Annotated[
        list[PackedLine] | None,
        Field(min_length=1, max_length=MAX_LINES, description="null: all that is not on its way yet."),
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_twice(self.lines or [])
        return self


class ShopCancel(InputSchema):
    """Why the shop cancels an order."""

    reason: str = Field(min_length=1, max_length=REASON_MAX_LENGTH, examples=["Damaged in the store"])


class RemarkChange(InputSchema):
    """What the staff notes about an order; null for nothing."""

    remark: Annotated[str | None, Field(max_length=REMARK_MAX_LENGTH, examples=["Pack it well"])]


class DepartmentChange(InputSchema):
    """Who handles an order; null for nobody."""

    department_id: Annotated[Key | None, Field(examples=["01KAGZC4F6H8K0M2N4Q6S8V0W2"])]

"""What goes in and out of the endpoints of stock."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.ids import KEY_LENGTH
from xumi.kernel.schema import InputSchema, SchemaBase
from xumi.modules.shop.stock.enums import MovementKind

MAX_PIECES = 1_000_000_000

_SKU = "01KAGZ7C2F4G6H8J0K1M3N5P7Q"
_Key = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH)]


class StockQuery(PaginateRequest):
    """Which stocks are wanted; sorted by `margin` (what is available above the limit), `available`, `reserved` or `sold`."""

    sku_id: _Key | None = None
    low: bool | None = Field(None, description="Only those that are low, or only those that are not.")


class StockListed(SchemaBase):
    """What there is of a SKU, in pieces."""

    sku_id: str = Field(examples=[_SKU])
    available: int = Field(examples=[3])
    reserved: int = Field(description="Of unpaid orders.", examples=[2])
    sold: int = Field(examples=[118])
    low_at: int = Field(description="It is low when `available` falls to this.", examples=[5])


class Adjustment(InputSchema):
    """Goods that came in, were counted or were lost."""

    change: int = Field(
        ge=-MAX_PIECES,
        le=MAX_PIECES,
        description="Pieces more, or fewer where it is negative; not 0.",
        examples=[50],
    )
    reason: str = Field(min_length=1, max_length=200, examples=["Delivery 2026-118"])


class MovementQuery(PaginateRequest):
    """Which movements are wanted."""

    kind: MovementKind | None = None


class MovementOut(SchemaBase):
    """A line of the ledger: by how much each number changed."""

    id: str = Field(examples=["01KAGZH6M8N0P2Q4R6S8T0V2W4"])
    kind: MovementKind = Field(examples=["adjusted"])
    available: int = Field(examples=[50])
    reserved: int = Field(examples=[0])
    sold: int = Field(examples=[0])
    reference: str | None = Field(description="Id of the order that was the cause.", examples=[None])
    reason: str | None = Field(examples=["Delivery 2026-118"])
    actor_id: str | None = Field(description="Who did it; null for the system.", examples=[None])
    created_at: datetime = Field(examples=["2026-11-21T09:30:00.123456Z"])

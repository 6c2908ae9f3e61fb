"""What goes in and out of the endpoints of payments."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import ConfigDict, Field

from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, SchemaBase
from xumi.modules.shop.payment.constants import MAX_FEN, PROVIDER_MAX_LENGTH, REFERENCE_MAX_LENGTH
from xumi.modules.shop.payment.enums import PaymentState, RefundState

Number = Annotated[str, Path(description="The order's number.", examples=["4839201746352910"])]
_ID = "01KAGZF4J6K8M0N2P4Q6R8S0T2"
_TIME = "2026-11-21T09:31:00.123456Z"


class PaymentCreate(InputSchema):
    """How an order shall be paid."""

    provider: str = Field(
        min_length=1,
        max_length=PROVIDER_MAX_LENGTH,
        description="`offline`: the customer hands the money over himself.",
        examples=["offline"],
    )


class PaymentStarted(SchemaBase):
    """A payment that the customer can make now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": _ID, "provider": "offline", "state": "pending", "amount_fen": 26600, "client": {}}
            ]
        }
    )

    id: str
    provider: str
    state: PaymentState
    amount_fen: int
    client: dict[str, Any] = Field(
        description="What the provider's own client takes; `offline` needs nothing."
    )


class PaymentOut(SchemaBase):
    """A payment of an order."""

    id: str = Field(examples=[_ID])
    provider: str = Field(examples=["offline"])
    state: PaymentState = Field(examples=["paid"])
    amount_fen: int = Field(examples=[26600])
    reference: str | None = Field(
        description="The provider's number of the transaction.", examples=["R-2026-118"]
    )
    paid_at: datetime | None = Field(description="When its money came.", examples=[_TIME])
    created_at: datetime = Field(examples=["2026-11-21T09:30:30.123456Z"])


class OfflinePayment(InputSchema):
    """Money that somebody of the shop has received."""

    reference: Annotated[
        str,
        Field(
            min_length=1,
            max_length=REFERENCE_MAX_LENGTH,
            description="Number of the receipt or the bank transfer; the same one counts once.",
            examples=["R-2026-118"],
        ),
    ]
    amount_fen: Annotated[
        int, Field(ge=0, le=MAX_FEN, description="Must be what the order costs.", examples=[26600])
    ]


class PaymentSettled(SchemaBase):
    """What came of money: `paid`, or `late` if it has to go back."""

    state: PaymentState = Field(examples=["paid"])


class RefundQuery(PaginateRequest):
    """Which refunds are wanted; sorted by `created_at` or `amount_fen`."""

    state: RefundState | None = None
    number: str | None = Field(None, max_length=20, description="The order's number.")


class RefundListed(SchemaBase):
    """Money that has to go back."""

    id: str = Field(examples=["01KAGZG5K7M9N1P3Q5R7S9T1V3"])
    number: str = Field(description="The order's.", examples=["4839201746352910"])
    payment_id: str = Field(examples=[_ID])
    provider: str = Field(examples=["offline"])
    reference: str | None = Field(examples=["R-2026-118"])
    amount_fen: int = Field(examples=[26600])
    state: RefundState = Field(examples=["due"])
    reason: str = Field(examples=["the order was cancelled after it was paid"])
    created_at: datetime = Field(examples=[_TIME])

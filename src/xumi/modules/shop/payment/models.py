"""The tables of payments."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.model import ModelBase, ModelTimeColumns
from xumi.kernel.ids import KEY_LENGTH
from xumi.modules.shop.payment.enums import PaymentState, RefundState


class Payment(ModelBase, ModelTimeColumns):
    """An attempt to pay an order; `settled` is true for the one that paid it and NULL for the others."""

    __tablename__ = "shop_payment"

    order_id: Mapped[str] = mapped_column(ForeignKey("shop_order.id"))
    provider: Mapped[str] = mapped_column(String(32))
    state: Mapped[PaymentState]
    amount_fen: Mapped[int]
    settled: Mapped[bool | None]
    reference: Mapped[str | None] = mapped_column(String(64))
    """The provider's own number of the transaction."""
    paid_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("order_id", "settled"),
        UniqueConstraint("provider", "reference"),
        CheckConstraint("amount_fen >= 0", name="amount"),
        Index("ix_shop_payment_state", "state"),
    )


class Refund(ModelBase, ModelTimeColumns):
    """Money that has to go back."""

    __tablename__ = "shop_refund"

    payment_id: Mapped[str] = mapped_column(ForeignKey("shop_payment.id"), unique=True)
    amount_fen: Mapped[int]
    state: Mapped[RefundState] = mapped_column(default=RefundState.DUE, index=True)
    reason: Mapped[str] = mapped_column(String(200))
    actor_id: Mapped[str | None] = mapped_column(String(KEY_LENGTH))

    __table_args__ = (CheckConstraint("amount_fen > 0", name="amount"),)

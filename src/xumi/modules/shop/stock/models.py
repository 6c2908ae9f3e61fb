"""The tables of stock."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel import clock
from xumi.kernel.db.model import ModelBase
from xumi.kernel.ids import KEY_LENGTH
from xumi.modules.shop.stock.enums import MovementKind


class Stock(ModelBase):
    """How many pieces of a SKU there are; `id` is the SKU's. Always the sum of its movements."""

    __tablename__ = "shop_stock"

    available: Mapped[int]
    reserved: Mapped[int] = mapped_column(default=0)
    """Pieces of unpaid orders."""
    sold: Mapped[int] = mapped_column(default=0)
    low_at: Mapped[int] = mapped_column(default=0)
    """When `available` falls to this, `StockLow` is told."""

    __table_args__ = (
        CheckConstraint("available >= 0", name="available"),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("sold >= 0", name="sold"),
    )


class Movement(ModelBase):
    """A line of the ledger. It is written with the change of `Stock` that it describes, and never changed."""

    __tablename__ = "shop_stock_movement"

    sku_id: Mapped[str] = mapped_column(ForeignKey("shop_stock.id"))
    kind: Mapped[MovementKind]
    available: Mapped[int]
    """By how much each of the three numbers changed."""
    reserved: Mapped[int]
    sold: Mapped[int]
    reference: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    """Id of the order, where one is the cause."""
    reason: Mapped[str | None] = mapped_column(String(200))
    actor_id: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    """The user who did it; NULL for the system."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index("ix_shop_stock_movement_sku_id_id", "sku_id", "id"),
        Index("ix_shop_stock_movement_reference", "reference"),
    )

"""The tables of orders."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel import clock
from xumi.kernel.db.model import ModelBase, ModelTimeColumns
from xumi.kernel.db.scope import Scope
from xumi.kernel.ids import KEY_LENGTH
from xumi.modules.shop.order.enums import OrderState


class Order(ModelBase, ModelTimeColumns):
    """What a customer bought. Prices, names and the address are those of the moment when it was placed."""

    __tablename__ = "shop_order"
    __scope__ = Scope("order", owner="user_id", department="department_id")

    number: Mapped[str] = mapped_column(String(20), unique=True)
    """What people call it: short, not to be guessed, and silent about how many there are."""
    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id"))
    department_id: Mapped[str | None] = mapped_column(ForeignKey("organization_department.id"), index=True)
    """Who handles it, for data scope; NULL until it is given to a department."""
    state: Mapped[OrderState]
    goods_fen: Mapped[int]
    freight_fen: Mapped[int]
    discount_fen: Mapped[int]
    total_fen: Mapped[int]
    """Goods and freight without the discount: what is paid."""
    address: Mapped[dict[str, Any]]
    note: Mapped[str | None] = mapped_column(String(200))
    """From the customer."""
    remark: Mapped[str | None] = mapped_column(String(500))
    """From the staff, for the staff."""
    expires_at: Mapped[datetime]
    """Until then the stock is reserved."""
    paid_at: Mapped[datetime | None]
    shipped_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """When it was cancelled or closed."""

    __table_args__ = (
        CheckConstraint("goods_fen >= 0 AND freight_fen >= 0", name="fen"),
        CheckConstraint("discount_fen >= 0 AND discount_fen <= goods_fen", name="discount"),
        CheckConstraint("total_fen = goods_fen + freight_fen - discount_fen", name="total"),
        Index("ix_shop_order_user_id_id", "user_id", "id"),
        Index("ix_shop_order_state_id", "state", "id"),
        Index("ix_shop_order_state_expires_at", "state", "expires_at"),
        Index("ix_shop_order_created_at", "created_at"),
    )


class OrderLine(ModelBase):
    """A SKU of an order, as it was when the order was placed."""

    __tablename__ = "shop_order_line"

    order_id: Mapped[str] = mapped_column(ForeignKey("shop_order.id", ondelete="CASCADE"))
    sku_id: Mapped[str] = mapped_column(ForeignKey("shop_sku.id"), index=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("shop_product.id"), index=True)
    sku_code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(120))
    options: Mapped[dict[str, Any]]
    picture: Mapped[str | None] = mapped_column(String(500))
    price_fen: Mapped[int]
    quantity: Mapped[int]
    discount_fen: Mapped[int] = mapped_column(default=0)
    """This line's part of the order's discount."""
    total_fen: Mapped[int]
    limited: Mapped[bool] = mapped_column(default=False)
    """The product had a limit for each user: the pieces are counted in `Purchase`."""
    shipped: Mapped[int] = mapped_column(default=0)
    """How many pieces are on their way."""

    __table_args__ = (
        UniqueConstraint("order_id", "sku_id"),
        CheckConstraint("price_fen > 0 AND quantity > 0", name="price"),
        CheckConstraint("discount_fen >= 0 AND total_fen >= 0", name="fen"),
        CheckConstraint("total_fen = price_fen * quantity - discount_fen", name="total"),
        CheckConstraint("shipped >= 0 AND shipped <= quantity", name="shipped"),
    )


class OrderChange(ModelBase):
    """Something that became of an order, who did it and why. Never changed."""

    __tablename__ = "shop_order_change"

    order_id: Mapped[str] = mapped_column(ForeignKey("shop_order.id", ondelete="CASCADE"))
    before: Mapped[OrderState | None]
    """NULL when it was placed."""
    after: Mapped[OrderState]
    actor_id: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    """The user who did it; NULL for the system."""
    reason: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (Index("ix_shop_order_change_order_id_id", "order_id", "id"),)


class Shipment(ModelBase):
    """A parcel."""

    __tablename__ = "shop_shipment"

    order_id: Mapped[str] = mapped_column(ForeignKey("shop_order.id", ondelete="CASCADE"), index=True)
    carrier: Mapped[str] = mapped_column(String(64))
    tracking_number: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (UniqueConstraint("carrier", "tracking_number"),)


class ShipmentLine(ModelBase):
    """What is in a parcel."""

    __tablename__ = "shop_shipment_line"

    shipment_id: Mapped[str] = mapped_column(ForeignKey("shop_shipment.id", ondelete="CASCADE"))
    order_line_id: Mapped[str] = mapped_column(
        ForeignKey("shop_order_line.id", ondelete="CASCADE"), index=True
    )
    quantity: Mapped[int]

    __table_args__ = (
        UniqueConstraint("shipment_id", "order_line_id"),
        CheckConstraint("quantity > 0", name="quantity"),
    )


class Purchase(ModelBase):
    """How many pieces of a product with a limit a user has in orders that are not cancelled or closed."""

    __tablename__ = "shop_purchase"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id"))
    product_id: Mapped[str] = mapped_column(ForeignKey("shop_product.id"), index=True)
    quantity: Mapped[int]

    __table_args__ = (
        UniqueConstraint("user_id", "product_id"),
        CheckConstraint("quantity >= 0", name="quantity"),
    )

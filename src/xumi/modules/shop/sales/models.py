"""The tables of sales figures. A day is a calendar day in China (`Asia/Shanghai`)."""

from datetime import date

from sqlalchemy import Date, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.model import ModelBase


class DailySales(ModelBase):
    """What happened in the shop on a day."""

    __tablename__ = "shop_daily_sales"

    day: Mapped[date] = mapped_column(Date, unique=True)
    placed: Mapped[int] = mapped_column(default=0)
    """Orders that were placed."""
    paid: Mapped[int] = mapped_column(default=0)
    """Orders that were paid."""
    paid_fen: Mapped[int] = mapped_column(default=0)
    ended: Mapped[int] = mapped_column(default=0)
    """Orders that were cancelled or closed."""
    refunded_fen: Mapped[int] = mapped_column(default=0)
    """Of orders that were cancelled on this day after they were paid."""
    new_customers: Mapped[int] = mapped_column(default=0)
    """Users whose first paid order this day brought."""


class DailyProduct(ModelBase):
    """What was sold of a product on a day, and what of it was taken back on a day."""

    __tablename__ = "shop_daily_product"

    day: Mapped[date] = mapped_column(Date)
    product_id: Mapped[str] = mapped_column(ForeignKey("shop_product.id"), index=True)
    quantity: Mapped[int] = mapped_column(default=0)
    fen: Mapped[int] = mapped_column(default=0)
    returned: Mapped[int] = mapped_column(default=0)
    """Pieces of paid orders that were cancelled on this day, whenever they were paid."""
    returned_fen: Mapped[int] = mapped_column(default=0)

    __table_args__ = (UniqueConstraint("day", "product_id"),)


class Customer(ModelBase):
    """A user who has paid an order, and on which day he did so first: he is new on that day. `id` is the user's."""

    __tablename__ = "shop_customer"

    first_paid_on: Mapped[date] = mapped_column(Date)

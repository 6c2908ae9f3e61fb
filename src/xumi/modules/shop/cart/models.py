"""The table of carts."""

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.model import ModelBase, ModelTimeColumns


class CartLine(ModelBase, ModelTimeColumns):
    """A SKU in a customer's cart."""

    __tablename__ = "shop_cart_line"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"))
    sku_id: Mapped[str] = mapped_column(ForeignKey("shop_sku.id", ondelete="CASCADE"), index=True)
    quantity: Mapped[int]
    selected: Mapped[bool] = mapped_column(default=True)
    seen_price_fen: Mapped[int]
    """The price that the customer saw last, so that he can be told of a change."""

    __table_args__ = (
        UniqueConstraint("user_id", "sku_id"),
        CheckConstraint("quantity > 0", name="quantity"),
    )

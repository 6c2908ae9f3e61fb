"""The table of favourites."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel import clock
from xumi.kernel.db.model import ModelBase


class Favourite(ModelBase):
    """A customer likes a product."""

    __tablename__ = "shop_favourite"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"))
    product_id: Mapped[str] = mapped_column(ForeignKey("shop_product.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (UniqueConstraint("user_id", "product_id"),)

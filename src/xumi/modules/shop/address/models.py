"""The table of addresses."""

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.model import ModelBase, ModelTimeColumns


class Address(ModelBase, ModelTimeColumns):
    """Where a customer has things sent to; `main` is true for one of his addresses and NULL for the others."""

    __tablename__ = "shop_address"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    mobile: Mapped[str] = mapped_column(String(20))
    province: Mapped[str] = mapped_column(String(32))
    city: Mapped[str] = mapped_column(String(32))
    district: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(String(200))
    main: Mapped[bool | None]

    __table_args__ = (
        UniqueConstraint("user_id", "main"),
        Index("ix_shop_address_user_id_id", "user_id", "id"),
    )

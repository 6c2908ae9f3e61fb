"""The table of the staff."""

from datetime import date

from sqlalchemy import Date, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel import ModelBase


class Member(ModelBase):
    """What the company knows of a user."""

    __tablename__ = "staff_member"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    department: Mapped[str] = mapped_column(String(100))
    phone: Mapped[str] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(200))
    about: Mapped[str] = mapped_column(String(1000))
    joined_on: Mapped[date] = mapped_column(Date)

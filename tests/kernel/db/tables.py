"""Tables of the tests of the database layer; their metadata is their own, so that no other test meets them."""

import enum
import uuid
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.model import NAMING_CONVENTION, ModelBase, ModelTimeColumns


class TableBase(ModelBase):
    """Base of these tables."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Color(enum.Enum):
    """An enumeration of texts."""

    RED = "red"
    DARK_BLUE = "dark-blue"


class Author(ModelTimeColumns, TableBase):
    """Who wrote books."""

    __tablename__ = "t_author"

    name: Mapped[str] = mapped_column(String(50), unique=True)
    born: Mapped[date | None] = mapped_column(Date)
    active: Mapped[bool] = mapped_column(Boolean, default=True)


class Book(ModelTimeColumns, TableBase):
    """One column of every type."""

    __tablename__ = "t_book"

    title: Mapped[str] = mapped_column("book_title", String(100))
    color: Mapped[Color]
    pages: Mapped[int | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    weight: Mapped[float | None]
    public: Mapped[bool] = mapped_column(default=False)
    data: Mapped[dict[str, Any] | None]
    tags: Mapped[list[str]] = mapped_column(default=list)
    printed_on: Mapped[date | None] = mapped_column(Date)
    opens: Mapped[time | None] = mapped_column(Time)
    code: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    cover: Mapped[bytes | None] = mapped_column(LargeBinary)
    sold_at: Mapped[datetime | None]
    summary: Mapped[str | None] = mapped_column(Text)
    author_id: Mapped[str | None] = mapped_column(ForeignKey("t_author.id"))

    __table_args__ = (CheckConstraint("pages >= 0", name="pages"),)


class Seat(TableBase):
    """A row whose two columns together are unique."""

    __tablename__ = "t_seat"

    row: Mapped[str] = mapped_column(String(5))
    number: Mapped[int]

    __table_args__ = (UniqueConstraint("row", "number"),)

"""The table of posters."""

from __future__ import annotations

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.model import ModelBase, ModelTimeColumns


class Poster(ModelBase, ModelTimeColumns):
    """A short text that a user put up for all to read."""

    __tablename__ = "poster_poster"

    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    author_id: Mapped[str] = mapped_column(String(26))
    author: Mapped[str] = mapped_column(String(64))

    __table_args__ = (Index("ix_poster_poster_created_at", "created_at"),)

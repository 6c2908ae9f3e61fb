"""The table of notes."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel import ModelBase, ModelTimeColumns


class Note(ModelTimeColumns, ModelBase):
    """A note."""

    __tablename__ = "note_note"

    owner_id: Mapped[str] = mapped_column(String(26))
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(String(2000))
    stars: Mapped[int]

"""The table of API keys."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.model import ModelBase, UtcDateTime
from xumi.modules.apikey.constants import NAME_MAX_LENGTH


class ApiKey(ModelBase):
    """One key. It never changes but for being used and being revoked."""

    __tablename__ = "apikey_key"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"))
    """The owner, under whose account it calls."""
    name: Mapped[str] = mapped_column(String(NAME_MAX_LENGTH))
    prefix: Mapped[str] = mapped_column(String(16))
    """How the key begins."""
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the key, hexadecimal. (A slow hash is for secrets that can be guessed.)"""
    permissions: Mapped[list[str]]
    networks: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """When it was made, or revoked: workers look for what is new."""

    __table_args__ = (
        Index("ix_apikey_key_user_id", "user_id"),
        Index("ix_apikey_key_expires_at", "expires_at"),
    )

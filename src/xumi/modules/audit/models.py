"""The table of the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.model import ModelBase


class AuditEntry(ModelBase):
    """One change of access. It names rows by id without foreign keys, for it outlives them."""

    __tablename__ = "audit_entry"

    at: Mapped[datetime]
    actor_id: Mapped[str | None] = mapped_column(String(26))
    actor: Mapped[str] = mapped_column(String(64))
    """The actor's name at that time."""
    action: Mapped[str] = mapped_column(String(64))
    """`<thing>.<past tense>`, such as `role.created`."""
    subject: Mapped[str] = mapped_column(String(200))
    """`<thing>:<id>`."""
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    request_id: Mapped[str] = mapped_column(String(64))
    ip: Mapped[str] = mapped_column(String(45))

    __table_args__ = (
        Index("ix_audit_entry_at", "at"),
        Index("ix_audit_entry_actor_id", "actor_id"),
        Index("ix_audit_entry_subject", "subject"),
    )

"""events

Revision 0002, after 0001.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from xumi.kernel.db.model import UtcDateTime

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema forward."""
    _create_event_outbox()
    _create_event_delivery()


def _create_event_outbox() -> None:
    """What has happened."""
    op.create_table(
        "event_outbox",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("aggregate", sa.String(length=100), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("consumers", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("relayed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_event_outbox"),
        sa.UniqueConstraint("id", name="uq_event_outbox_id"),
    )
    waiting = sa.text("relayed = false")
    op.create_index(
        "ix_event_outbox_waiting",
        "event_outbox",
        ["relayed", "position"],
        postgresql_where=waiting,
        sqlite_where=waiting,
    )


def _create_event_delivery() -> None:
    """Which consumer has had which event."""
    op.create_table(
        "event_delivery",
        sa.Column("consumer", sa.String(length=100), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("aggregate", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("consumer", "position", name="pk_event_delivery"),
    )
    pending = sa.text("state = 'pending'")
    for name, columns in (
        ("ix_event_delivery_pending", ["consumer", "state", "position"]),
        ("ix_event_delivery_due", ["state", "attempts", "due_at"]),
    ):
        op.create_index(name, "event_delivery", columns, postgresql_where=pending, sqlite_where=pending)


def downgrade() -> None:
    """Take it back."""
    op.drop_table("event_delivery")
    op.drop_table("event_outbox")

"""invitations, identities, one-time tokens; sessions by when they were seen

Revision 0009, after 0008.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from xumi.kernel.db.model import UtcDateTime

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_index("ix_account_session_last_used_at", "account_session", ["last_used_at"])
    op.create_table(
        "account_one_time_token",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("binding", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_account_one_time_token"),
        sa.UniqueConstraint("purpose", "subject", name="uq_account_one_time_token_purpose_subject"),
        sa.UniqueConstraint("token_hash", name="uq_account_one_time_token_token_hash"),
    )
    op.create_index("ix_account_one_time_token_expires_at", "account_one_time_token", ["expires_at"])
    op.create_table(
        "account_invitation",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("invited_by", sa.String(length=26), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_invitation"),
        sa.UniqueConstraint("email_key", name="uq_account_invitation_email_key"),
    )
    op.create_table(
        "account_identity",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=254), nullable=False),
        sa.Column("label", sa.String(length=254), nullable=False),
        sa.Column("verified_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_account_identity_user_id_account_user",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_account_identity"),
        sa.UniqueConstraint("kind", "key", name="uq_account_identity_kind_key"),
    )
    op.create_index("ix_account_identity_user_id", "account_identity", ["user_id"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("account_identity")
    op.drop_table("account_invitation")
    op.drop_table("account_one_time_token")
    op.drop_index("ix_account_session_last_used_at", "account_session")

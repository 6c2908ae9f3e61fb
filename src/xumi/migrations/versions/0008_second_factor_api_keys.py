"""second factor and API keys

Revision 0008, after 0007.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from xumi.kernel.db.model import UtcDateTime

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema forward."""
    _create_apikey_key()
    _create_account_second_factor()
    _create_account_recovery_code()


def _create_apikey_key() -> None:
    """API keys."""
    op.create_table(
        "apikey_key",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("networks", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["account_user.id"], name="fk_apikey_key_user_id_account_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_apikey_key"),
        sa.UniqueConstraint("digest", name="uq_apikey_key_digest"),
    )
    op.create_index("ix_apikey_key_user_id", "apikey_key", ["user_id"])
    op.create_index("ix_apikey_key_expires_at", "apikey_key", ["expires_at"])
    op.create_index("ix_apikey_key_changed_at", "apikey_key", ["changed_at"])


def _create_account_second_factor() -> None:
    """Authenticator apps."""
    op.create_table(
        "account_second_factor",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("secret", sa.String(length=400), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_account_second_factor_user_id_account_user",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_account_second_factor"),
        sa.UniqueConstraint("user_id", name="uq_account_second_factor_user_id"),
    )


def _create_account_recovery_code() -> None:
    """Codes for who has lost his authenticator app."""
    op.create_table(
        "account_recovery_code",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_account_recovery_code_user_id_account_user",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_account_recovery_code"),
        sa.UniqueConstraint("user_id", "digest", name="uq_account_recovery_code_user_id_digest"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("account_recovery_code")
    op.drop_table("account_second_factor")
    op.drop_table("apikey_key")

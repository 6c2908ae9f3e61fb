"""accounts and posters

Revision 0001, after nothing.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from xumi.kernel.db.model import UtcDateTime

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema forward."""
    _create_account_access_change()
    _create_account_guess()
    _create_account_user()
    _create_poster_poster()
    _create_account_session()
    _create_account_user_role()


def _create_account_access_change() -> None:
    """What ended access, for workers to learn of."""
    op.create_table(
        "account_access_change",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("session_id", sa.String(length=26), nullable=True),
        sa.Column("user_id", sa.String(length=26), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_account_access_change"),
    )
    op.create_index("ix_account_access_change_at", "account_access_change", ["at"])


def _create_account_guess() -> None:
    """Guesses at passwords."""
    op.create_table(
        "account_guess",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("window", sa.Integer(), nullable=False),
        sa.Column("current", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_guess"),
        sa.UniqueConstraint("subject", name="uq_account_guess_subject"),
    )
    op.create_index("ix_account_guess_window", "account_guess", ["window"])


def _create_account_user() -> None:
    """Accounts."""
    op.create_table(
        "account_user",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("username_key", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("email_key", sa.String(length=254), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("last_login_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_user"),
        sa.UniqueConstraint("email_key", name="uq_account_user_email_key"),
        sa.UniqueConstraint("username_key", name="uq_account_user_username_key"),
    )
    op.create_index("ix_account_user_created_at", "account_user", ["created_at"])


def _create_poster_poster() -> None:
    """Posters."""
    op.create_table(
        "poster_poster",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("author_id", sa.String(length=26), nullable=False),
        sa.Column("author", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_poster_poster"),
    )
    op.create_index("ix_poster_poster_created_at", "poster_poster", ["created_at"])


def _create_account_session() -> None:
    """Sign-ins."""
    op.create_table(
        "account_session",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=True),
        sa.Column("rotated_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_account_session_user_id_account_user",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_account_session"),
    )
    op.create_index("ix_account_session_expires_at", "account_session", ["expires_at"])
    op.create_index("ix_account_session_user_id", "account_session", ["user_id"])


def _create_account_user_role() -> None:
    """Who holds which role."""
    op.create_table(
        "account_user_role",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_account_user_role_user_id_account_user",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_account_user_role"),
        sa.UniqueConstraint("user_id", "role", name="uq_account_user_role_user_id_role"),
    )
    op.create_index("ix_account_user_role_role", "account_user_role", ["role"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("account_user_role")
    op.drop_table("account_session")
    op.drop_table("poster_poster")
    op.drop_table("account_user")
    op.drop_table("account_guess")
    op.drop_table("account_access_change")

"""permissions, roles and the audit log

Revision 0005, after 0004.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from xumi.kernel.db.model import UtcDateTime

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema forward."""
    _create_access_permission()
    _create_access_role()
    _create_access_role_permission()
    _create_access_role_include()
    _create_access_version()
    _create_audit_entry()


def _create_access_permission() -> None:
    """What can be granted."""
    op.create_table(
        "access_permission",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=128), nullable=False),
        sa.Column("feature", sa.String(length=64), nullable=False),
        sa.Column("title_en", sa.String(length=200), nullable=False),
        sa.Column("title_zh", sa.String(length=200), nullable=False),
        sa.Column("vanished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_access_permission"),
        sa.UniqueConstraint("code", name="uq_access_permission_code"),
    )
    op.create_index("ix_access_permission_feature", "access_permission", ["feature"])


def _create_access_role() -> None:
    """Roles."""
    op.create_table(
        "access_role",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("title_en", sa.String(length=100), nullable=False),
        sa.Column("title_zh", sa.String(length=100), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.Column("second_factor_required", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_access_role"),
        sa.UniqueConstraint("code", name="uq_access_role_code"),
    )


def _create_access_role_permission() -> None:
    """What roles grant."""
    op.create_table(
        "access_role_permission",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("permission", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["role"],
            ["access_role.code"],
            name="fk_access_role_permission_role_access_role",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["permission"],
            ["access_permission.code"],
            name="fk_access_role_permission_permission_access_permission",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_access_role_permission"),
        sa.UniqueConstraint("role", "permission", name="uq_access_role_permission_role_permission"),
    )
    op.create_index("ix_access_role_permission_permission", "access_role_permission", ["permission"])


def _create_access_role_include() -> None:
    """Which roles include which."""
    op.create_table(
        "access_role_include",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("included", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["role"], ["access_role.code"], name="fk_access_role_include_role_access_role", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["included"], ["access_role.code"], name="fk_access_role_include_included_access_role"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_access_role_include"),
        sa.UniqueConstraint("role", "included", name="uq_access_role_include_role_included"),
    )
    op.create_index("ix_access_role_include_included", "access_role_include", ["included"])


def _create_access_version() -> None:
    """The number of the last change, in one row."""
    version = op.create_table(
        "access_version",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_access_version"),
    )
    op.bulk_insert(version, [{"id": "0" * 26, "version": 0}])


def _create_audit_entry() -> None:
    """Changes of access."""
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor_id", sa.String(length=26), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
    )
    op.create_index("ix_audit_entry_actor_id", "audit_entry", ["actor_id"])
    op.create_index("ix_audit_entry_at", "audit_entry", ["at"])
    op.create_index("ix_audit_entry_subject", "audit_entry", ["subject"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("audit_entry")
    op.drop_table("access_version")
    op.drop_table("access_role_include")
    op.drop_table("access_role_permission")
    op.drop_table("access_role")
    op.drop_table("access_permission")

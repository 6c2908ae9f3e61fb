"""departments, members and data scopes

Revision 0007, after 0006.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from xumi.kernel.db.model import UtcDateTime

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema forward."""
    _create_department()
    _create_member()
    _create_scope()
    _create_change()


def _create_department() -> None:
    op.create_table(
        "organization_department",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("parent_id", sa.String(length=26), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("order", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organization_department"),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["organization_department.id"],
            name="fk_organization_department_parent_id_organization_department",
        ),
        sa.UniqueConstraint("code", name="uq_organization_department_code"),
    )
    op.create_index("ix_organization_department_parent_id", "organization_department", ["parent_id"])


def _create_member() -> None:
    op.create_table(
        "organization_member",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("department_id", sa.String(length=26), nullable=False),
        sa.Column("main", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_organization_member"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_organization_member_user_id_account_user",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["department_id"],
            ["organization_department.id"],
            name="fk_organization_member_department_id_organization_department",
        ),
        sa.UniqueConstraint("user_id", "department_id", name="uq_organization_member_user_id_department_id"),
        sa.UniqueConstraint("user_id", "main", name="uq_organization_member_user_id_main"),
    )
    op.create_index("ix_organization_member_department_id", "organization_member", ["department_id"])


def _create_scope() -> None:
    op.create_table(
        "organization_scope",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organization_scope"),
        sa.ForeignKeyConstraint(
            ["role"],
            ["access_role.code"],
            name="fk_organization_scope_role_access_role",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("role", "resource", name="uq_organization_scope_role_resource"),
    )
    op.create_table(
        "organization_scope_department",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("scope_id", sa.String(length=26), nullable=False),
        sa.Column("department_id", sa.String(length=26), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organization_scope_department"),
        sa.ForeignKeyConstraint(
            ["scope_id"],
            ["organization_scope.id"],
            name="fk_organization_scope_department_scope",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["department_id"],
            ["organization_department.id"],
            name="fk_organization_scope_department_department",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "scope_id", "department_id", name="uq_organization_scope_department_scope_id_department_id"
        ),
    )
    op.create_index(
        "ix_organization_scope_department_department_id", "organization_scope_department", ["department_id"]
    )


def _create_change() -> None:
    """What changed when; the counter is there from the start, for it is also a lock."""
    table = op.create_table(
        "organization_change",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organization_change"),
    )
    op.create_index("ix_organization_change_version", "organization_change", ["version"])
    op.bulk_insert(table, [{"id": "counter", "version": 0}])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("organization_change")
    op.drop_table("organization_scope_department")
    op.drop_table("organization_scope")
    op.drop_table("organization_member")
    op.drop_table("organization_department")

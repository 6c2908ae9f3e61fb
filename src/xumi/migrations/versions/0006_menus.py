"""menus

Revision 0006, after 0005.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from xumi.kernel.db.model import UtcDateTime

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "menu_item",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("parent_id", sa.String(length=26), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("title_en", sa.String(length=100), nullable=False),
        sa.Column("title_zh", sa.String(length=100), nullable=False),
        sa.Column("icon", sa.String(length=64), nullable=True),
        sa.Column("path", sa.String(length=200), nullable=True),
        sa.Column("component", sa.String(length=200), nullable=True),
        sa.Column("url", sa.String(length=2000), nullable=True),
        sa.Column("permission", sa.String(length=100), nullable=True),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("keep_alive", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("order", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["menu_item.id"], name="fk_menu_item_parent_id_menu_item"),
        sa.PrimaryKeyConstraint("id", name="pk_menu_item"),
        sa.UniqueConstraint("code", name="uq_menu_item_code"),
    )
    op.create_index("ix_menu_item_parent_id", "menu_item", ["parent_id"])
    op.create_table(
        "menu_grant",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("item_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["menu_item.id"], name="fk_menu_grant_item_id_menu_item", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["role"], ["access_role.code"], name="fk_menu_grant_role_access_role", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_menu_grant"),
        sa.UniqueConstraint("role", "item_id", name="uq_menu_grant_role_item_id"),
    )
    op.create_index("ix_menu_grant_item_id", "menu_grant", ["item_id"])
    op.create_table(
        "menu_tree",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("seeded", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_menu_tree"),
    )
    op.execute("INSERT INTO menu_tree (id, seeded) VALUES ('tree', '[]')")


def downgrade() -> None:
    """Take it back."""
    op.drop_table("menu_tree")
    op.drop_table("menu_grant")
    op.drop_table("menu_item")

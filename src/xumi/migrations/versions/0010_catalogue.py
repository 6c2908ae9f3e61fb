"""the catalogue of the shop: freight, stock, categories, products, themes, banners

Revision 0010, after 0009.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from xumi.kernel.db.model import UtcDateTime

revision: str = "0010"
down_revision: str | Sequence[str] | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema forward."""
    _create_banners()
    _create_categories()
    _create_freight()
    _create_stock()
    _create_products()
    _create_skus()
    _create_themes()


def _create_banners() -> None:
    op.create_table(
        "shop_banner",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shop_banner"),
        sa.UniqueConstraint("code", name="uq_shop_banner_code"),
    )
    op.create_table(
        "shop_banner_item",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("banner_id", sa.String(length=26), nullable=False),
        sa.Column("picture", sa.String(length=500), nullable=False),
        sa.Column(
            "target",
            sa.Enum("product", "theme", "page", name="bannertarget", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("target_id", sa.String(length=200), nullable=False),
        sa.Column("order", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["banner_id"],
            ["shop_banner.id"],
            name="fk_shop_banner_item_banner_id_shop_banner",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_banner_item"),
    )
    op.create_index("ix_shop_banner_item_banner_id", "shop_banner_item", ["banner_id"])


def _create_categories() -> None:
    op.create_table(
        "shop_category",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("parent_id", sa.String(length=26), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("picture", sa.String(length=500), nullable=True),
        sa.Column("order", sa.BigInteger(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["shop_category.id"], name="fk_shop_category_parent_id_shop_category"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_category"),
    )
    op.create_index("ix_shop_category_parent_id", "shop_category", ["parent_id"])
    op.create_table(
        "shop_category_tree",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shop_category_tree"),
    )
    op.execute("INSERT INTO shop_category_tree (id) VALUES ('tree')")


def _create_freight() -> None:
    op.create_table(
        "shop_freight_template",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column(
            "unit", sa.Enum("piece", "gram", name="freightunit", native_enum=False, length=32), nullable=False
        ),
        sa.Column("free_from_fen", sa.BigInteger(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("free_from_fen >= 0", name="ck_shop_freight_template_free_from"),
        sa.PrimaryKeyConstraint("id", name="pk_shop_freight_template"),
        sa.UniqueConstraint("name", name="uq_shop_freight_template_name"),
    )
    op.create_table(
        "shop_freight_rule",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("template_id", sa.String(length=26), nullable=False),
        sa.Column("provinces", sa.JSON(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("first_fen", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("step_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("first >= 0 AND step > 0", name="ck_shop_freight_rule_units"),
        sa.CheckConstraint("first_fen >= 0 AND step_fen >= 0", name="ck_shop_freight_rule_fen"),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["shop_freight_template.id"],
            name="fk_shop_freight_rule_template_id_shop_freight_template",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_freight_rule"),
    )
    op.create_index("ix_shop_freight_rule_template_id", "shop_freight_rule", ["template_id"])


def _create_stock() -> None:
    op.create_table(
        "shop_stock",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("sold", sa.BigInteger(), nullable=False),
        sa.Column("low_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("available >= 0", name="ck_shop_stock_available"),
        sa.CheckConstraint("reserved >= 0", name="ck_shop_stock_reserved"),
        sa.CheckConstraint("sold >= 0", name="ck_shop_stock_sold"),
        sa.PrimaryKeyConstraint("id", name="pk_shop_stock"),
    )
    op.create_table(
        "shop_stock_movement",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("sku_id", sa.String(length=26), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "adjusted",
                "reserved",
                "released",
                "sold",
                "returned",
                name="movementkind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("sold", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(length=26), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("actor_id", sa.String(length=26), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sku_id"], ["shop_stock.id"], name="fk_shop_stock_movement_sku_id_shop_stock"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_stock_movement"),
    )
    op.create_index("ix_shop_stock_movement_reference", "shop_stock_movement", ["reference"])
    op.create_index("ix_shop_stock_movement_sku_id_id", "shop_stock_movement", ["sku_id", "id"])


def _create_products() -> None:
    op.create_table(
        "shop_product",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("subtitle", sa.String(length=200), nullable=True),
        sa.Column("category_id", sa.String(length=26), nullable=False),
        sa.Column(
            "state",
            sa.Enum("draft", "on_sale", "off", name="productstate", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("pictures", sa.JSON(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("freight_template_id", sa.String(length=26), nullable=True),
        sa.Column("limit_per_user", sa.BigInteger(), nullable=True),
        sa.Column("on_sale_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("limit_per_user > 0", name="ck_shop_product_limit"),
        sa.CheckConstraint("price_fen >= 0", name="ck_shop_product_price"),
        sa.ForeignKeyConstraint(
            ["category_id"], ["shop_category.id"], name="fk_shop_product_category_id_shop_category"
        ),
        sa.ForeignKeyConstraint(
            ["freight_template_id"],
            ["shop_freight_template.id"],
            name="fk_shop_product_freight_template_id_shop_freight_template",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_product"),
        sa.UniqueConstraint("code", name="uq_shop_product_code"),
    )
    op.create_index(
        "ix_shop_product_category_id_state", "shop_product", ["category_id", "state", "on_sale_at", "id"]
    )
    op.create_index("ix_shop_product_freight_template_id", "shop_product", ["freight_template_id"])
    op.create_index("ix_shop_product_state_on_sale_at", "shop_product", ["state", "on_sale_at", "id"])
    op.create_index("ix_shop_product_state_price_fen", "shop_product", ["state", "price_fen", "id"])


def _create_skus() -> None:
    op.create_table(
        "shop_sku",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("product_id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("options_key", sa.String(length=64), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("list_price_fen", sa.BigInteger(), nullable=True),
        sa.Column("weight_grams", sa.BigInteger(), nullable=False),
        sa.Column("picture", sa.String(length=500), nullable=True),
        sa.Column("order", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("list_price_fen >= price_fen", name="ck_shop_sku_list_price"),
        sa.CheckConstraint("price_fen > 0", name="ck_shop_sku_price"),
        sa.CheckConstraint("weight_grams >= 0", name="ck_shop_sku_weight"),
        sa.ForeignKeyConstraint(
            ["product_id"], ["shop_product.id"], name="fk_shop_sku_product_id_shop_product"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_sku"),
        sa.UniqueConstraint("code", name="uq_shop_sku_code"),
        sa.UniqueConstraint("product_id", "options_key", name="uq_shop_sku_product_id_options_key"),
    )


def _create_themes() -> None:
    op.create_table(
        "shop_theme",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("subtitle", sa.String(length=200), nullable=True),
        sa.Column("topic_picture", sa.String(length=500), nullable=False),
        sa.Column("head_picture", sa.String(length=500), nullable=False),
        sa.Column("order", sa.BigInteger(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shop_theme"),
    )
    op.create_table(
        "shop_theme_product",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("theme_id", sa.String(length=26), nullable=False),
        sa.Column("product_id", sa.String(length=26), nullable=False),
        sa.Column("order", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["shop_product.id"],
            name="fk_shop_theme_product_product_id_shop_product",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["theme_id"],
            ["shop_theme.id"],
            name="fk_shop_theme_product_theme_id_shop_theme",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_theme_product"),
        sa.UniqueConstraint("theme_id", "product_id", name="uq_shop_theme_product_theme_id_product_id"),
    )
    op.create_index("ix_shop_theme_product_product_id", "shop_theme_product", ["product_id"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("shop_theme_product")
    op.drop_table("shop_theme")
    op.drop_table("shop_sku")
    op.drop_table("shop_product")
    op.drop_table("shop_stock_movement")
    op.drop_table("shop_stock")
    op.drop_table("shop_freight_rule")
    op.drop_table("shop_freight_template")
    op.drop_table("shop_category_tree")
    op.drop_table("shop_category")
    op.drop_table("shop_banner_item")
    op.drop_table("shop_banner")

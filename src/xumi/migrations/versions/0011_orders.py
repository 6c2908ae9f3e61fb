"""orders of the shop: addresses, carts, favourites, orders, payments, sales

Revision 0011, after 0010.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from xumi.kernel.db.model import UtcDateTime

revision: str = "0011"
down_revision: str | Sequence[str] | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema forward."""
    _create_sales()
    _create_customers()
    _create_carts()
    _create_orders()
    _create_order_changes()
    _create_purchases()
    _create_order_lines()
    _create_payments()
    _create_shipments()


def _create_sales() -> None:
    op.create_table(
        "shop_customer",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("first_paid_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shop_customer"),
    )
    op.create_table(
        "shop_daily_sales",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("placed", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("new_customers", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shop_daily_sales"),
        sa.UniqueConstraint("day", name="uq_shop_daily_sales_day"),
    )
    op.create_table(
        "shop_daily_product",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("product_id", sa.String(length=26), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("fen", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("returned_fen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["shop_product.id"], name="fk_shop_daily_product_product_id_shop_product"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_daily_product"),
        sa.UniqueConstraint("day", "product_id", name="uq_shop_daily_product_day_product_id"),
    )
    op.create_index("ix_shop_daily_product_product_id", "shop_daily_product", ["product_id"])


def _create_customers() -> None:
    op.create_table(
        "shop_address",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("mobile", sa.String(length=20), nullable=False),
        sa.Column("province", sa.String(length=32), nullable=False),
        sa.Column("city", sa.String(length=32), nullable=False),
        sa.Column("district", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("main", sa.Boolean(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["account_user.id"], name="fk_shop_address_user_id_account_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_address"),
        sa.UniqueConstraint("user_id", "main", name="uq_shop_address_user_id_main"),
    )
    op.create_index("ix_shop_address_user_id_id", "shop_address", ["user_id", "id"])
    op.create_table(
        "shop_favourite",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("product_id", sa.String(length=26), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["shop_product.id"],
            name="fk_shop_favourite_product_id_shop_product",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_shop_favourite_user_id_account_user",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_favourite"),
        sa.UniqueConstraint("user_id", "product_id", name="uq_shop_favourite_user_id_product_id"),
    )
    op.create_index("ix_shop_favourite_product_id", "shop_favourite", ["product_id"])


def _create_carts() -> None:
    op.create_table(
        "shop_cart_line",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("sku_id", sa.String(length=26), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("selected", sa.Boolean(), nullable=False),
        sa.Column("seen_price_fen", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("quantity > 0", name="ck_shop_cart_line_quantity"),
        sa.ForeignKeyConstraint(
            ["sku_id"], ["shop_sku.id"], name="fk_shop_cart_line_sku_id_shop_sku", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_shop_cart_line_user_id_account_user",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_cart_line"),
        sa.UniqueConstraint("user_id", "sku_id", name="uq_shop_cart_line_user_id_sku_id"),
    )
    op.create_index("ix_shop_cart_line_sku_id", "shop_cart_line", ["sku_id"])


def _create_orders() -> None:
    op.create_table(
        "shop_order",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("department_id", sa.String(length=26), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "unpaid",
                "paid",
                "shipped",
                "completed",
                "cancelled",
                "closed",
                name="orderstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("goods_fen", sa.BigInteger(), nullable=False),
        sa.Column("freight_fen", sa.BigInteger(), nullable=False),
        sa.Column("discount_fen", sa.BigInteger(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("remark", sa.String(length=500), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.Column("shipped_at", UtcDateTime(), nullable=True),
        sa.Column("completed_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("discount_fen >= 0 AND discount_fen <= goods_fen", name="ck_shop_order_discount"),
        sa.CheckConstraint("goods_fen >= 0 AND freight_fen >= 0", name="ck_shop_order_fen"),
        sa.CheckConstraint("total_fen = goods_fen + freight_fen - discount_fen", name="ck_shop_order_total"),
        sa.ForeignKeyConstraint(
            ["department_id"],
            ["organization_department.id"],
            name="fk_shop_order_department_id_organization_department",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["account_user.id"], name="fk_shop_order_user_id_account_user"),
        sa.PrimaryKeyConstraint("id", name="pk_shop_order"),
        sa.UniqueConstraint("number", name="uq_shop_order_number"),
    )
    op.create_index("ix_shop_order_created_at", "shop_order", ["created_at"])
    op.create_index("ix_shop_order_department_id", "shop_order", ["department_id"])
    op.create_index("ix_shop_order_state_expires_at", "shop_order", ["state", "expires_at"])
    op.create_index("ix_shop_order_state_id", "shop_order", ["state", "id"])
    op.create_index("ix_shop_order_user_id_id", "shop_order", ["user_id", "id"])


def _create_order_changes() -> None:
    op.create_table(
        "shop_order_change",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("order_id", sa.String(length=26), nullable=False),
        sa.Column(
            "before",
            sa.Enum(
                "unpaid",
                "paid",
                "shipped",
                "completed",
                "cancelled",
                "closed",
                name="orderstate",
                native_enum=False,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column(
            "after",
            sa.Enum(
                "unpaid",
                "paid",
                "shipped",
                "completed",
                "cancelled",
                "closed",
                name="orderstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("actor_id", sa.String(length=26), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["shop_order.id"],
            name="fk_shop_order_change_order_id_shop_order",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_order_change"),
    )
    op.create_index("ix_shop_order_change_order_id_id", "shop_order_change", ["order_id", "id"])


def _create_purchases() -> None:
    op.create_table(
        "shop_purchase",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("product_id", sa.String(length=26), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity >= 0", name="ck_shop_purchase_quantity"),
        sa.ForeignKeyConstraint(
            ["product_id"], ["shop_product.id"], name="fk_shop_purchase_product_id_shop_product"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["account_user.id"], name="fk_shop_purchase_user_id_account_user"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_purchase"),
        sa.UniqueConstraint("user_id", "product_id", name="uq_shop_purchase_user_id_product_id"),
    )
    op.create_index("ix_shop_purchase_product_id", "shop_purchase", ["product_id"])


def _create_order_lines() -> None:
    op.create_table(
        "shop_order_line",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("order_id", sa.String(length=26), nullable=False),
        sa.Column("sku_id", sa.String(length=26), nullable=False),
        sa.Column("product_id", sa.String(length=26), nullable=False),
        sa.Column("sku_code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("picture", sa.String(length=500), nullable=True),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("discount_fen", sa.BigInteger(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("limited", sa.Boolean(), nullable=False),
        sa.Column("shipped", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("discount_fen >= 0 AND total_fen >= 0", name="ck_shop_order_line_fen"),
        sa.CheckConstraint("price_fen > 0 AND quantity > 0", name="ck_shop_order_line_price"),
        sa.CheckConstraint("shipped >= 0 AND shipped <= quantity", name="ck_shop_order_line_shipped"),
        sa.CheckConstraint(
            "total_fen = price_fen * quantity - discount_fen", name="ck_shop_order_line_total"
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name="fk_shop_order_line_order_id_shop_order", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["shop_product.id"], name="fk_shop_order_line_product_id_shop_product"
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["shop_sku.id"], name="fk_shop_order_line_sku_id_shop_sku"),
        sa.PrimaryKeyConstraint("id", name="pk_shop_order_line"),
        sa.UniqueConstraint("order_id", "sku_id", name="uq_shop_order_line_order_id_sku_id"),
    )
    op.create_index("ix_shop_order_line_product_id", "shop_order_line", ["product_id"])
    op.create_index("ix_shop_order_line_sku_id", "shop_order_line", ["sku_id"])


def _create_payments() -> None:
    op.create_table(
        "shop_payment",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("order_id", sa.String(length=26), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column(
            "state",
            sa.Enum("pending", "paid", "late", "closed", name="paymentstate", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=True),
        sa.Column("reference", sa.String(length=64), nullable=True),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount_fen >= 0", name="ck_shop_payment_amount"),
        sa.ForeignKeyConstraint(["order_id"], ["shop_order.id"], name="fk_shop_payment_order_id_shop_order"),
        sa.PrimaryKeyConstraint("id", name="pk_shop_payment"),
        sa.UniqueConstraint("order_id", "settled", name="uq_shop_payment_order_id_settled"),
        sa.UniqueConstraint("provider", "reference", name="uq_shop_payment_provider_reference"),
    )
    op.create_index("ix_shop_payment_state", "shop_payment", ["state"])
    op.create_table(
        "shop_refund",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("payment_id", sa.String(length=26), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column(
            "state", sa.Enum("due", "done", name="refundstate", native_enum=False, length=32), nullable=False
        ),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("actor_id", sa.String(length=26), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name="ck_shop_refund_amount"),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["shop_payment.id"], name="fk_shop_refund_payment_id_shop_payment"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_refund"),
        sa.UniqueConstraint("payment_id", name="uq_shop_refund_payment_id"),
    )
    op.create_index("ix_shop_refund_state", "shop_refund", ["state"])


def _create_shipments() -> None:
    op.create_table(
        "shop_shipment",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("order_id", sa.String(length=26), nullable=False),
        sa.Column("carrier", sa.String(length=64), nullable=False),
        sa.Column("tracking_number", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name="fk_shop_shipment_order_id_shop_order", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_shipment"),
        sa.UniqueConstraint("carrier", "tracking_number", name="uq_shop_shipment_carrier_tracking_number"),
    )
    op.create_index("ix_shop_shipment_order_id", "shop_shipment", ["order_id"])
    op.create_table(
        "shop_shipment_line",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("shipment_id", sa.String(length=26), nullable=False),
        sa.Column("order_line_id", sa.String(length=26), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name="ck_shop_shipment_line_quantity"),
        sa.ForeignKeyConstraint(
            ["order_line_id"],
            ["shop_order_line.id"],
            name="fk_shop_shipment_line_order_line_id_shop_order_line",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["shipment_id"],
            ["shop_shipment.id"],
            name="fk_shop_shipment_line_shipment_id_shop_shipment",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_shipment_line"),
        sa.UniqueConstraint(
            "shipment_id", "order_line_id", name="uq_shop_shipment_line_shipment_id_order_line_id"
        ),
    )
    op.create_index("ix_shop_shipment_line_order_line_id", "shop_shipment_line", ["order_line_id"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("shop_shipment_line")
    op.drop_table("shop_shipment")
    op.drop_table("shop_refund")
    op.drop_table("shop_payment")
    op.drop_table("shop_order_line")
    op.drop_table("shop_purchase")
    op.drop_table("shop_order_change")
    op.drop_table("shop_order")
    op.drop_table("shop_cart_line")
    op.drop_table("shop_favourite")
    op.drop_table("shop_address")
    op.drop_table("shop_daily_product")
    op.drop_table("shop_daily_sales")
    op.drop_table("shop_customer")

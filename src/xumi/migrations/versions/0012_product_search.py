"""the search of products

Revision 0012, after 0011. Products that are there already are found after `xumi command reindex-products`.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision: str = "0012"
down_revision: str | Sequence[str] | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema forward."""
    if op.get_context().dialect.name == "sqlite":
        # The tokenizer `ascii` leaves all letters but ASCII's alone; nothing asks for the columns' sizes. Words are found by
        # their beginning, Chinese ones by one character.
        op.execute(
            "CREATE VIRTUAL TABLE shop_product_search USING fts5 "
            "(id, name_terms, terms, tokenize = 'ascii', columnsize = 0, prefix = '1 2')"
        )
        return
    terms = sa.Text().with_variant(TSVECTOR(), "postgresql")
    op.create_table(
        "shop_product_search",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name_terms", terms, nullable=False),
        sa.Column("terms", terms, nullable=False),
        sa.ForeignKeyConstraint(
            ["id"],
            ["shop_product.id"],
            name="fk_shop_product_search_id_shop_product",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shop_product_search"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.create_index(
            "ix_shop_product_search_terms",
            "shop_product_search",
            ["terms"],
            postgresql_using="gin",
            # Without a list of what was written last, which each search would have to go through.
            postgresql_with={"fastupdate": "off"},
        )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("shop_product_search")

"""The tables of the catalogue."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Dialect, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from xumi.kernel import clock
from xumi.kernel.db.model import ModelBase, ModelTimeColumns
from xumi.modules.shop.catalog.enums import BannerTarget, ProductState

PICTURE_MAX_LENGTH = 500


class Category(ModelBase, ModelTimeColumns):
    """A node of the tree of categories."""

    __tablename__ = "shop_category"

    parent_id: Mapped[str | None] = mapped_column(ForeignKey("shop_category.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    picture: Mapped[str | None] = mapped_column(String(PICTURE_MAX_LENGTH))
    order: Mapped[int] = mapped_column(default=0)
    hidden: Mapped[bool] = mapped_column(default=False)


class CategoryTree(ModelBase):
    """The tree as a whole: one row, which whoever moves categories locks, so that no two moves make a cycle."""

    __tablename__ = "shop_category_tree"


class Product(ModelBase, ModelTimeColumns):
    """Something that is sold, in one or more SKUs."""

    __tablename__ = "shop_product"

    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    subtitle: Mapped[str | None] = mapped_column(String(200))
    category_id: Mapped[str] = mapped_column(ForeignKey("shop_category.id"))
    state: Mapped[ProductState] = mapped_column(default=ProductState.DRAFT)
    pictures: Mapped[list[str]]
    """Addresses, the first one is the cover."""
    properties: Mapped[list[Any]]
    """`{"name": "Material", "value": "Bamboo"}`, in order."""
    description: Mapped[str] = mapped_column(Text, default="")
    """HTML, reduced to an allow-list when it is written."""
    price_fen: Mapped[int] = mapped_column(default=0)
    """The lowest price of its enabled SKUs, kept for lists."""
    freight_template_id: Mapped[str | None] = mapped_column(
        ForeignKey("shop_freight_template.id"), index=True
    )
    """NULL is free freight."""
    limit_per_user: Mapped[int | None]
    """How many pieces one user can buy in all; for flash sales."""
    on_sale_at: Mapped[datetime] = mapped_column(default=clock.now)
    """When it was put on sale last; of a draft, when it was made."""

    __table_args__ = (
        CheckConstraint("price_fen >= 0", name="price"),
        CheckConstraint("limit_per_user > 0", name="limit"),
        Index("ix_shop_product_state_on_sale_at", "state", "on_sale_at", "id"),
        Index("ix_shop_product_category_id_state", "category_id", "state", "on_sale_at", "id"),
        Index("ix_shop_product_state_price_fen", "state", "price_fen", "id"),
    )


class Terms(TypeDecorator[str]):
    """What a product can be found by, in the form that the database searches; `service/search.py` writes and reads it."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """PostgreSQL has a type for it."""
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import TSVECTOR

            return dialect.type_descriptor(TSVECTOR())
        return dialect.type_descriptor(Text())


class ProductSearch(ModelBase):
    """By which terms a product is found; `id` is the product's. On SQLite the table is a virtual one, of FTS5."""

    __tablename__ = "shop_product_search"

    id: Mapped[str] = mapped_column(ForeignKey("shop_product.id", ondelete="CASCADE"), primary_key=True)
    name_terms: Mapped[str] = mapped_column(Terms)
    """Those of its name, which come first in what is found."""
    terms: Mapped[str] = mapped_column(Terms)
    """All: of name, subtitle, code, properties and the name of its category."""

    __table_args__ = (
        # Its migration makes it a GIN index. Said here, that would import PostgreSQL's dialect into every process.
        Index("ix_shop_product_search_terms", "terms").ddl_if(dialect="postgresql"),
    )


class Sku(ModelBase, ModelTimeColumns):
    """A variant of a product that can be put into a cart. Its stock is the row of `shop_stock` with the same id."""

    __tablename__ = "shop_sku"

    product_id: Mapped[str] = mapped_column(ForeignKey("shop_product.id"))
    code: Mapped[str] = mapped_column(String(64), unique=True)
    options: Mapped[dict[str, Any]]
    """Such as `{"Colour": "red", "Size": "M"}`; empty where there is one variant."""
    options_key: Mapped[str] = mapped_column(String(64))
    """A hash of the options, so that no two SKUs of a product have the same."""
    price_fen: Mapped[int]
    list_price_fen: Mapped[int | None]
    """The price that is shown struck through."""
    weight_grams: Mapped[int] = mapped_column(default=0)
    picture: Mapped[str | None] = mapped_column(String(PICTURE_MAX_LENGTH))
    order: Mapped[int] = mapped_column(default=0)
    enabled: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (
        UniqueConstraint("product_id", "options_key"),
        CheckConstraint("price_fen > 0", name="price"),
        CheckConstraint("list_price_fen >= price_fen", name="list_price"),
        CheckConstraint("weight_grams >= 0", name="weight"),
    )


class Theme(ModelBase, ModelTimeColumns):
    """A topic: a head picture and the products under it."""

    __tablename__ = "shop_theme"

    name: Mapped[str] = mapped_column(String(64))
    subtitle: Mapped[str | None] = mapped_column(String(200))
    topic_picture: Mapped[str] = mapped_column(String(PICTURE_MAX_LENGTH))
    """Shown where themes are listed."""
    head_picture: Mapped[str] = mapped_column(String(PICTURE_MAX_LENGTH))
    """Shown at the top of the theme's own page."""
    order: Mapped[int] = mapped_column(default=0)
    hidden: Mapped[bool] = mapped_column(default=False)


class ThemeProduct(ModelBase):
    """A product is shown under a theme."""

    __tablename__ = "shop_theme_product"

    theme_id: Mapped[str] = mapped_column(ForeignKey("shop_theme.id", ondelete="CASCADE"))
    product_id: Mapped[str] = mapped_column(ForeignKey("shop_product.id", ondelete="CASCADE"), index=True)
    order: Mapped[int] = mapped_column(default=0)

    __table_args__ = (UniqueConstraint("theme_id", "product_id"),)


class Banner(ModelBase, ModelTimeColumns):
    """A place for pictures that lead somewhere, such as the head of the first page."""

    __tablename__ = "shop_banner"

    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    hidden: Mapped[bool] = mapped_column(default=False)


class BannerItem(ModelBase):
    """A picture of a banner and where it leads."""

    __tablename__ = "shop_banner_item"

    banner_id: Mapped[str] = mapped_column(ForeignKey("shop_banner.id", ondelete="CASCADE"), index=True)
    picture: Mapped[str] = mapped_column(String(PICTURE_MAX_LENGTH))
    target: Mapped[BannerTarget]
    target_id: Mapped[str] = mapped_column(String(200))
    """Id of the product or theme, or the path of the page."""
    order: Mapped[int] = mapped_column(default=0)

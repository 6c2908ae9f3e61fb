"""What goes in and out of the endpoints of products."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, Moment, RowId, SchemaBase
from xumi.modules.shop.catalog.constants import (
    DESCRIPTION_MAX_LENGTH,
    MAX_FEN,
    MAX_KEYWORD_LENGTH,
    MAX_PICTURES,
    MAX_PIECES,
    MAX_PROPERTIES,
    MAX_RECENT,
    MAX_SKUS,
)
from xumi.modules.shop.catalog.enums import ProductState
from xumi.modules.shop.catalog.schemas.fields import Code, Id, Name, Picture, Subtitle
from xumi.modules.shop.catalog.schemas.sku import SkuCreate, SkuOut, SkuView

_FEN = Annotated[int | None, Field(ge=0, le=MAX_FEN)]
_ID = "01KAGZ7C2F4G6H8J0K1M3N5P7Q"


class ProductQuery(PaginateRequest):
    """Which products on sale are wanted; sorted by `on_sale_at`, `price_fen` or `name`."""

    category_id: Id | None = Field(None, description="Of this category or one below it.")
    theme_id: Id | None = Field(None, description="Shown under this theme.")
    min_price_fen: _FEN = None
    max_price_fen: _FEN = None
    keyword: str | None = Field(
        None,
        max_length=MAX_KEYWORD_LENGTH,
        description="Words that are all in the name, the subtitle, the code, the properties or the category's name. Unless sorted "
        "otherwise, those with them in their name come first.",
        examples=["cup"],
    )


class RecentQuery(InputSchema):
    """How many products are wanted."""

    limit: int = Field(15, ge=1, le=MAX_RECENT)


class ProductListed(SchemaBase):
    """A product in a list, as customers see it."""

    id: RowId
    name: str = Field(examples=["Bamboo cup"])
    subtitle: str | None = Field(examples=["From Anji"])
    picture: str | None = Field(examples=["/files/bamboo-cup.webp"], description="The cover.")
    price_fen: int = Field(examples=[2900], description="The lowest price of its SKUs.")
    category_id: str = Field(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])


class ProductCard(msgspec.Struct):
    """What other features show of a product."""

    id: Annotated[str, msgspec.Meta(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])]
    name: Annotated[str, msgspec.Meta(examples=["Bamboo cup"])]
    picture: Annotated[str | None, msgspec.Meta(examples=["/files/bamboo-cup.webp"])]
    price_fen: Annotated[int, msgspec.Meta(examples=[2900])]
    on_sale: bool


class Property(InputSchema):
    """Something that is said of a product."""

    name: str = Field(min_length=1, max_length=32, examples=["Material"])
    value: str = Field(min_length=1, max_length=200, examples=["Bamboo"])


class PropertyView(msgspec.Struct):
    """Something that is said of a product."""

    name: Annotated[str, msgspec.Meta(examples=["Bamboo cup"])]
    value: Annotated[str, msgspec.Meta(examples=["Bamboo"])]


class ProductDetail(msgspec.Struct):
    """A product as customers see it, with its SKUs and what is left of each."""

    id: Annotated[str, msgspec.Meta(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])]
    code: Annotated[str, msgspec.Meta(examples=["CUP-1"])]
    name: Annotated[str, msgspec.Meta(examples=["Bamboo cup"])]
    subtitle: Annotated[str | None, msgspec.Meta(examples=["From Anji"])]
    category_id: Annotated[str, msgspec.Meta(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])]
    pictures: Annotated[list[str], msgspec.Meta(examples=[["/files/bamboo-cup.webp"]])]
    properties: Annotated[
        list[PropertyView], msgspec.Meta(examples=[[{"name": "Material", "value": "Bamboo"}]])
    ]
    description: Annotated[
        str, msgspec.Meta(examples=["<p>Grown in <b>Anji</b>.</p>"], description="HTML that is safe to show.")
    ]
    price_fen: Annotated[int, msgspec.Meta(examples=[2900], description="The lowest price of its SKUs.")]
    limit_per_user: Annotated[
        int | None, msgspec.Meta(examples=[2], description="How many pieces one user can buy in all.")
    ]
    on_sale_at: Annotated[datetime, msgspec.Meta(examples=["2026-11-21T09:30:00Z"])]
    skus: list[SkuView]


class ShopProductQuery(PaginateRequest):
    """Which products are wanted; sorted by `code`, `name`, `price_fen`, `on_sale_at` or `created_at`."""

    code: str | None = Field(None, max_length=64, description="Part of the code, in either case.")
    name: str | None = Field(None, max_length=120, description="Part of the name, in either case.")
    category_id: Id | None = None
    state: ProductState | None = None


class ShopProductListed(SchemaBase):
    """A product in a list of the staff."""

    id: RowId
    code: str = Field(examples=["CUP-1"])
    name: str = Field(examples=["Bamboo cup"])
    category_id: str = Field(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])
    state: ProductState
    picture: str | None = Field(examples=["/files/bamboo-cup.webp"])
    price_fen: int = Field(examples=[2900])
    on_sale_at: Moment
    created_at: Moment


class ShopProductOut(SchemaBase):
    """A product as the staff sees it."""

    id: RowId
    code: str = Field(examples=["CUP-1"])
    name: str = Field(examples=["Bamboo cup"])
    subtitle: str | None = Field(examples=["From Anji"])
    category_id: str = Field(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])
    state: ProductState
    pictures: list[str] = Field(examples=[["/files/bamboo-cup.webp"]])
    properties: list[Any] = Field(examples=[[{"name": "Material", "value": "Bamboo"}]])
    description: str = Field(examples=["<p>Grown in <b>Anji</b>.</p>"])
    price_fen: int = Field(examples=[2900])
    freight_template_id: str | None = Field(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])
    limit_per_user: int | None = Field(examples=[2])
    on_sale_at: Moment
    created_at: Moment
    updated_at: Moment


class ShopProductWithSkus(ShopProductOut):
    """A product as the staff sees it, with all its SKUs."""

    skus: list[SkuOut]


_Properties = Annotated[list[Property], Field(max_length=MAX_PROPERTIES, description="In order.")]
_Pictures = Annotated[
    list[Picture], Field(max_length=MAX_PICTURES, description="In order; the first one is the cover.")
]
_Description = Annotated[
    str,
    Field(
        max_length=DESCRIPTION_MAX_LENGTH,
        description="HTML. What is not on the list of harmless elements and attributes is taken out.",
        examples=["<p>Grown in <b>Anji</b>.</p>"],
    ),
]
_Limit = Annotated[
    int | None, Field(gt=0, le=MAX_PIECES, description="How many pieces one user can buy in all.")
]


class ProductCreate(InputSchema):
    """A new product. It is a draft until it is put on sale."""

    code: Code = Field(description="Unique.", examples=["CUP-1"])
    name: Name = Field(examples=["Bamboo cup"])
    subtitle: Subtitle | None = None
    category_id: Id = Field(examples=[_ID])
    pictures: _Pictures = Field(default_factory=list)
    properties: _Properties = Field(default_factory=list)
    description: _Description = ""
    freight_template_id: Id | None = Field(None, description="null: sent free.")
    limit_per_user: _Limit = None
    skus: list[SkuCreate] = Field(default_factory=list, max_length=MAX_SKUS)


class ProductChange(InputSchema):
    """What shall be different about a product; what is left out stays, and null empties what can be empty."""

    code: Code | None = Field(None, description="Unique.", examples=["CUP-1"])
    name: Name | None = Field(None, examples=["Bamboo cup"])
    subtitle: Subtitle | None = None
    category_id: Id | None = Field(None, examples=[_ID])
    pictures: _Pictures | None = None
    properties: _Properties | None = None
    description: _Description | None = None
    freight_template_id: Id | None = Field(None, description="null: sent free.")
    limit_per_user: _Limit = None


class ProductStateChange(InputSchema):
    """Whether customers shall see a product."""

    state: Literal["on_sale", "off"] = Field(examples=["on_sale"])


class PictureOrder(InputSchema):
    """A product's pictures in the order that they shall have."""

    pictures: _Pictures

"""What goes in and out of the endpoints of themes and banners."""

from typing import Annotated

import msgspec
from pydantic import Field

from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, RowId, SchemaBase
from xumi.modules.shop.catalog.constants import MAX_BANNER_ITEMS, MAX_THEME_PRODUCTS
from xumi.modules.shop.catalog.enums import BannerTarget
from xumi.modules.shop.catalog.schemas.fields import Code, Id, Order, Picture, ShortName, Subtitle
from xumi.modules.shop.catalog.schemas.product import ProductCard

_ID = "01KAGZ7C2F4G6H8J0K1M3N5P7Q"


class ThemeView(msgspec.Struct):
    """A theme in the list that customers see."""

    id: Annotated[str, msgspec.Meta(examples=["01KAGZ7C2F4G6H8J0K1M3N5P7Q"])]
    name: Annotated[str, msgspec.Meta(examples=["Bamboo cup"])]
    subtitle: Annotated[str | None, msgspec.Meta(examples=["From Anji"])]
    topic_picture: Annotated[
        str, msgspec.Meta(examples=["/files/spring.webp"], description="For lists of themes.")
    ]


class ThemeDetail(ThemeView):
    """A theme as customers see it, with its products that are on sale, in order."""

    head_picture: Annotated[
        str,
        msgspec.Meta(
            examples=["/files/spring-head.webp"], description="For the head of the theme's own page."
        ),
    ]
    products: list[ProductCard]


class ThemeOut(SchemaBase):
    """A theme as the staff sees it."""

    id: RowId
    name: str = Field(examples=["Bamboo cup"])
    subtitle: str | None = Field(examples=["From Anji"])
    topic_picture: str = Field(examples=["/files/spring.webp"])
    head_picture: str = Field(examples=["/files/spring-head.webp"])
    order: int = Field(examples=[0])
    hidden: bool


class ThemeWithProducts(ThemeOut):
    """A theme as the staff sees it, with all its products."""

    product_ids: list[str] = Field(examples=[["01KAGZ7C2F4G6H8J0K1M3N5P7Q"]], description="In order.")


class ThemeQuery(PaginateRequest):
    """Which themes are wanted; sorted by `order` or `name`."""

    name: str | None = Field(None, max_length=64, description="Part of the name, in either case.")


class ThemeIn(InputSchema):
    """A theme, all of it but its products."""

    name: ShortName = Field(examples=["Spring"])
    subtitle: Subtitle | None = None
    topic_picture: Picture
    head_picture: Picture
    order: Order = 0
    hidden: bool = Field(False, description="Customers do not see it.")


class ThemeProducts(InputSchema):
    """All products of a theme."""

    product_ids: list[Id] = Field(
        max_length=MAX_THEME_PRODUCTS, description="In order, each once.", examples=[[_ID]]
    )


class BannerItemView(msgspec.Struct):
    """A picture of a banner and where it leads."""

    picture: Annotated[str, msgspec.Meta(examples=["/files/bamboo-cup.webp"])]
    target: BannerTarget
    target_id: Annotated[
        str,
        msgspec.Meta(
            examples=["/pages/about"], description="Id of the product or theme, or the path of the page."
        ),
    ]


class BannerView(msgspec.Struct):
    """A banner as customers see it; what leads to something that is not shown is left out."""

    code: Annotated[str, msgspec.Meta(examples=["CUP-1"])]
    name: Annotated[str, msgspec.Meta(examples=["Bamboo cup"])]
    items: list[BannerItemView]


class BannerOut(SchemaBase):
    """A banner as the staff sees it."""

    id: RowId
    code: str = Field(examples=["CUP-1"])
    name: str = Field(examples=["Bamboo cup"])
    hidden: bool


class BannerItemOut(SchemaBase):
    """A picture of a banner and where it leads."""

    picture: str = Field(examples=["/files/bamboo-cup.webp"])
    target: BannerTarget
    target_id: str = Field(examples=["/pages/about"])


class BannerWithItems(BannerOut):
    """A banner as the staff sees it, with all its items."""

    items: list[BannerItemOut]


class BannerQuery(PaginateRequest):
    """Which banners are wanted; sorted by `code`."""

    code: str | None = Field(None, max_length=64, description="Part of the code, in either case.")


class BannerIn(InputSchema):
    """A banner, all of it but its items."""

    code: Code = Field(description="Unique; clients ask for it by this.", examples=["home"])
    name: ShortName = Field(examples=["Head of the first page"])
    hidden: bool = Field(False, description="Customers do not see it.")


class BannerItemIn(InputSchema):
    """A picture of a banner and where it leads."""

    picture: Picture
    target: BannerTarget = Field(examples=["page"])
    target_id: str = Field(
        min_length=1,
        max_length=200,
        description="Id of the product or theme, which must be there, or the path of the page.",
        examples=["/pages/about"],
    )


class BannerItems(InputSchema):
    """All items of a banner."""

    items: list[BannerItemIn] = Field(max_length=MAX_BANNER_ITEMS, description="In order.")

"""States of products, and where banners lead."""

from enum import Enum


class ProductState(Enum):
    """Whether customers see a product."""

    DRAFT = "draft"
    ON_SALE = "on_sale"
    OFF = "off"


class BannerTarget(Enum):
    """What an item of a banner leads to: the id of a product or a theme, or the path of a page."""

    PRODUCT = "product"
    THEME = "theme"
    PAGE = "page"

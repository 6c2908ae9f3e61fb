"""What the catalogue does; other features use what is named here."""

from xumi.modules.shop.catalog.schemas.product import ProductCard
from xumi.modules.shop.catalog.schemas.sku import Offer
from xumi.modules.shop.catalog.service.offer import find_offers, find_products

__all__ = ["Offer", "ProductCard", "find_offers", "find_products"]

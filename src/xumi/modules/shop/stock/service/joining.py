"""What is left, for statements of other features."""

from sqlalchemy import select

from xumi.modules.shop.stock.models import Stock

LEVELS = select(Stock.id, Stock.available, Stock.reserved, Stock.sold, Stock.low_at).subquery(
    "shop_stock_level"
)
"""Levels by SKU, for joins."""

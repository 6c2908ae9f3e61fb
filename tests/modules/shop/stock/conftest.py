"""Tests of stock use the shop of those of orders."""

from tests.modules.shop.order.conftest import shop

__all__ = ["shop"]

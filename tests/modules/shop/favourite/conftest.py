"""Customers, and what they can like."""

from tests.modules.account.conftest import cheap_passwords, chief, connect, settings, sign_in, sign_up
from tests.modules.shop.catalog.conftest import category, make

__all__ = ["category", "cheap_passwords", "chief", "connect", "make", "settings", "sign_in", "sign_up"]

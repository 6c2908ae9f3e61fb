"""What demo data does."""

from xumi.modules.shop.demo.service.clear import clear
from xumi.modules.shop.demo.service.load import load

__all__ = ["clear", "load"]

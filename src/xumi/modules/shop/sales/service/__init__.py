"""What sales figures do; other features use what is named here."""

from xumi.modules.shop.sales.service.recounting import recount

__all__ = ["recount"]

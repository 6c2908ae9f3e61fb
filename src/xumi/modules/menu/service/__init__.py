"""What menus do; other features use what is named here."""

from xumi.modules.menu.service.seed import seed

__all__ = ["seed"]

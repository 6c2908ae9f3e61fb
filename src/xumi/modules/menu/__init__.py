"""Menus: the console's routes and buttons as a tree, and which roles see them.

Tables: `menu_item`, `menu_grant`, `menu_tree`. Depends on `access` and `audit`. What a caller sees hides what he may not use; whether he may
is decided by the routes' permissions, not here. The features' own items (`Module.menus`) are put in once, at the first start.
"""

from xumi.kernel.modules import Module
from xumi.modules.menu.constants import DEFAULT_MENUS

MODULE = Module(
    name="menu",
    title_en="Menus",
    title_zh="菜单",
    depends=("access", "audit"),
    grants={"user": ("menu:mine",)},
    menus=DEFAULT_MENUS,
)

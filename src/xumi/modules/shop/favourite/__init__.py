"""Products that customers want to find again.

Table: `shop_favourite`. Depends on `account` and `catalog`. Endpoints: `/api/v1/favourites`.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="favourite",
    title_en="Favourites",
    title_zh="收藏",
    depends=("account", "catalog"),
    permissions={
        "favourite:list": ("See one's own favourites", "查看收藏"),
        "favourite:update": ("Change one's own favourites", "修改收藏"),
    },
    grants={"user": ("favourite:list", "favourite:update")},
)

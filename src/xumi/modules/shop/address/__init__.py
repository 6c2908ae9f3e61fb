"""Addresses that customers have things sent to.

Table: `shop_address`. Depends on `account`. Endpoints: `/api/v1/addresses`. Whoever has addresses has exactly one main one.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="address",
    title_en="Addresses",
    title_zh="收货地址",
    depends=("account",),
    permissions={
        "address:list": ("List one's own addresses", "查看收货地址列表"),
        "address:create": ("Add addresses", "新增收货地址"),
        "address:read": ("Read one's own addresses", "查看收货地址"),
        "address:update": ("Change one's own addresses", "修改收货地址"),
        "address:delete": ("Delete one's own addresses", "删除收货地址"),
    },
    grants={
        "user": ("address:list", "address:create", "address:read", "address:update", "address:delete"),
    },
)

"""The cart of a customer, kept on the server.

Table: `shop_cart_line`. Depends on `account` and `catalog`, and on `stock` for what is left. Endpoints: `/api/v1/cart`.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="cart",
    title_en="Cart",
    title_zh="购物车",
    depends=("account", "catalog", "stock"),
    permissions={
        "cart:read": ("See one's own cart", "查看购物车"),
        "cart:update": ("Change one's own cart", "修改购物车"),
    },
    grants={"user": ("cart:read", "cart:update")},
)

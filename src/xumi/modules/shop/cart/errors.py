"""Error codes of carts."""

from xumi.kernel.errors import APICode, define


class CartCode(APICode):
    """What can go wrong with carts, beyond the kernel's codes."""

    CART_FULL = define(
        40978,
        en="The cart has {limit} lines, which is the most: remove one first.",
        zh="购物车已有 {limit} 种商品，达到上限：请先移除一种。",
    )
    NOT_ON_SALE = define(40979, en="This is not on sale.", zh="该商品未在售。")

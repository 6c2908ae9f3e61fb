"""Error codes of orders."""

from xumi.kernel.errors import APICode, define


class OrderCode(APICode):
    """What can go wrong with orders, beyond the kernel's codes."""

    PRICE_CHANGED = define(
        40992,
        en="A price has changed: show the customer the new one and place the order again.",
        zh="商品价格已变动：请确认新价格后重新下单。",
    )
    OFF_SALE = define(
        40993,
        en="Some of this is not on sale any more.",
        zh="部分商品已下架。",
    )
    LIMIT_REACHED = define(
        40994,
        en="Each customer can buy only so many of this product.",
        zh="超出该商品的每人限购数量。",
    )
    WRONG_STATE = define(
        40995,
        en="This cannot be done with an order that is {state}.",
        zh="订单当前状态（{state}）不允许此操作。",
    )
    DISCOUNT_TOO_HIGH = define(
        40996,
        en="The discounts are more than the goods cost.",
        zh="优惠金额超过商品总额。",
    )

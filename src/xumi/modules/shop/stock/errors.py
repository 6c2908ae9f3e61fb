"""Error codes of stock."""

from xumi.kernel.errors import APICode, define


class StockCode(APICode):
    """What can go wrong with stock, beyond the kernel's codes."""

    OUT_OF_STOCK = define(
        40980,
        en="There is not enough of this left.",
        zh="库存不足。",
    )

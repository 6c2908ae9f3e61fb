"""Error codes of stock."""

from collections.abc import Mapping

from xumi.kernel.errors import APICode, APIException, define


class StockCode(APICode):
    """What can go wrong with stock, beyond the kernel's codes."""

    OUT_OF_STOCK = define(
        40980,
        en="There is not enough of this left.",
        zh="库存不足。",
    )


class OutOfStock(APIException):
    """Fewer pieces are left than are wanted.

    Args:
        left: SKU → pieces that are left, of those that are too few.
    """

    def __init__(self, left: Mapping[str, int]) -> None:
        super().__init__(StockCode.OUT_OF_STOCK)
        self.left = dict(left)

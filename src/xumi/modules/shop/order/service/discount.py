"""Discounts: what other features take off an order, and how that is split over its lines.

    @discount.register
    async def take_ten_percent(session: AsyncSession, user_id: str, lines: Sequence[Priced]) -> int:
        return sum(line.goods_fen for line in lines) // 10

Each registered function says how many fen it takes off; they add up, and all together cannot take more than the goods cost.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.errors import APIException
from xumi.modules.shop.order.errors import OrderCode


class Priced(msgspec.Struct):
    """A line as discounts see it."""

    sku_id: str
    product_id: str
    price_fen: int
    quantity: int

    @property
    def goods_fen(self) -> int:
        """What the line costs without a discount."""
        return self.price_fen * self.quantity


Discount = Callable[[AsyncSession, str, Sequence[Priced]], Awaitable[int]]

_discounts: list[Discount] = []


def register(discount: Discount) -> Discount:
    """Ask this function about every order from now on."""
    if discount not in _discounts:
        _discounts.append(discount)
    return discount


def unregister(discount: Discount) -> None:
    """Ask it no longer."""
    _discounts.remove(discount)


async def count_discount(session: AsyncSession, user_id: str, lines: Sequence[Priced]) -> int:
    """What all discounts take off, in fen.

    Raises:
        APIException: DISCOUNT_TOO_HIGH.
        ValueError: a discount is negative, which would be a surcharge.
    """
    total = 0
    for discount in _discounts:
        taken = await discount(session, user_id, lines)
        if taken < 0:
            raise ValueError(f"{discount} takes off {taken} fen: a discount cannot be negative.")
        total += taken
    if total > sum(line.goods_fen for line in lines):
        raise APIException(OrderCode.DISCOUNT_TOO_HIGH)
    return total


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Parts of a total in proportion to weights, to the unit: by largest remainder (Hamilton's method).

    Args:
        total: what is split, from 0 to the sum of the weights.
        weights: not negative; no part is larger than its weight.

    Raises:
        ValueError: the total is negative or more than the weights together.
    """
    whole = sum(weights)
    if not 0 <= total <= whole:
        raise ValueError(f"{total} cannot be split over {whole}.")
    if whole == 0:
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    # What the divisions have cut off goes to those who lost most; among equals, to the first.
    by_loss = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_loss[: total - sum(parts)]:
        parts[i] += 1
    return parts

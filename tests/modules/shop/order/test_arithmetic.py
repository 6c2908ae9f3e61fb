"""The parts of a discount, and numbers of orders."""

from hypothesis import given
from hypothesis import strategies as st

from xumi.modules.shop.order.service.discount import split
from xumi.modules.shop.order.service.number import is_number, make_number

WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=50)


@given(weights=WEIGHTS, permille=st.integers(0, 1000))
def test_the_parts_are_the_whole(weights: list[int], permille: int) -> None:
    total = sum(weights) * permille // 1000
    parts = split(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert 0 <= part <= weight
        # No part is a unit or more away from its exact share.
        assert abs(part * sum(weights) - total * weight) < max(1, sum(weights))


def test_a_wrong_digit_is_found() -> None:
    numbers = {make_number() for _ in range(200)}
    assert len(numbers) == 200
    for number in numbers:
        assert len(number) == 16
        assert is_number(number)
        for place in range(16):
            wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
            assert not is_number(wrong)

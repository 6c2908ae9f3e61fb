"""One SKU that 64 buyers want at once: how many orders a second one server places, and how long a buyer waits at worst."""

import pytest

from benchmarks.shop_orders import measure
from tests.siege.record import record
from tests.siege.scale import is_full

pytestmark = [pytest.mark.siege, pytest.mark.slow, pytest.mark.timeout(300)]


def test_throughput_of_one_hot_sku() -> None:
    # An answer that is no 201 is an error here; times are recorded and not judged.
    rounds, seconds = (5, 3.0) if is_full() else (1, 0.5)
    found = measure(rounds, seconds)
    record("shop-hot-sku-postgresql", {name: round(figure, 2) for name, figure in found.items()})
    assert found["orders_per_second"] > 0

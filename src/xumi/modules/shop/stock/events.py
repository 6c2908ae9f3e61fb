"""What happens to stock."""

from xumi.kernel.events.event import Event


class StockLow(Event):
    """Few pieces of a SKU are left: `available` fell to its limit."""

    name = "stock.low"
    aggregate = "sku_id"

    sku_id: str
    available: int
    low_at: int

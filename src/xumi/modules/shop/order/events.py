"""What happens to orders."""

from datetime import datetime

import msgspec

from xumi.kernel.events.event import Event


class Bought(msgspec.Struct):
    """A line of an order."""

    product_id: str
    sku_id: str
    quantity: int
    total_fen: int


class OrderPlaced(Event):
    """A customer placed an order; its stock is reserved."""

    name = "order.placed"
    aggregate = "order_id"

    order_id: str
    number: str
    user_id: str
    total_fen: int
    at: datetime


class OrderPaid(Event):
    """An order was paid in full."""

    name = "order.paid"
    aggregate = "order_id"

    order_id: str
    number: str
    user_id: str
    total_fen: int
    lines: list[Bought]
    at: datetime


class OrderShipped(Event):
    """A parcel of an order is on its way; `complete` says whether it was the last one."""

    name = "order.shipped"
    aggregate = "order_id"

    order_id: str
    number: str
    user_id: str
    carrier: str
    tracking_number: str
    complete: bool
    at: datetime


class OrderCancelled(Event):
    """The customer or somebody of the shop cancelled an order; `paid` says whether there is money to go back."""

    name = "order.cancelled"
    aggregate = "order_id"

    order_id: str
    number: str
    user_id: str
    total_fen: int
    paid: bool
    lines: list[Bought]
    at: datetime


class OrderExpired(Event):
    """An order was not paid in time; its stock can be sold again."""

    name = "order.expired"
    aggregate = "order_id"

    order_id: str
    number: str
    user_id: str
    at: datetime

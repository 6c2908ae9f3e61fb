"""States of orders."""

from enum import Enum


class OrderState(Enum):
    """Where an order is. `machine.py` says what may follow what."""

    UNPAID = "unpaid"
    PAID = "paid"
    SHIPPED = "shipped"
    """Every piece is on its way."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    """It was not paid in time."""

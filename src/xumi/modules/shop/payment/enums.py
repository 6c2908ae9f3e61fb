"""States of payments and refunds."""

from enum import Enum


class PaymentState(Enum):
    """Where a payment is."""

    PENDING = "pending"
    PAID = "paid"
    LATE = "late"
    """The money came when the order could not be paid any more; there is a refund."""
    CLOSED = "closed"
    """It will not be paid: another one was, or the order has ended."""


class RefundState(Enum):
    """Whether the money is on its way back."""

    DUE = "due"
    DONE = "done"

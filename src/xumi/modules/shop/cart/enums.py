"""Why a guest's cart was not taken over as it was."""

from enum import Enum


class CutReason(Enum):
    """What was in the way."""

    NOT_ON_SALE = "not_on_sale"
    """There is no such SKU, or it is not on sale."""
    QUANTITY = "quantity"
    """More pieces than a line may have."""
    LINES = "lines"
    """The cart is full."""

"""Why stock changes."""

from enum import Enum


class MovementKind(Enum):
    """What a movement was."""

    ADJUSTED = "adjusted"
    """Goods came in, were counted or were lost: somebody said so and why."""
    RESERVED = "reserved"
    RELEASED = "released"
    SOLD = "sold"
    RETURNED = "returned"
    """Goods that were sold can be sold again."""

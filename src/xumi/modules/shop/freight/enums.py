"""How freight is counted."""

from enum import Enum


class FreightUnit(Enum):
    """What the steps of a template count."""

    PIECE = "piece"
    GRAM = "gram"

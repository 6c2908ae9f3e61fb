"""Fixed values of addresses."""

MAX_ADDRESSES = 20
"""How many addresses one customer may have."""
NAME_MAX_LENGTH = 64
REGION_MAX_LENGTH = 32
DETAIL_MAX_LENGTH = 200

"""Fixed values of carts."""

MAX_LINES = 100
MAX_QUANTITY = 999
"""How many pieces one line may have."""
MAX_GUEST_QUANTITY = 1_000_000
"""How many pieces a guest's line may ask for; what is above `MAX_QUANTITY` is cut."""

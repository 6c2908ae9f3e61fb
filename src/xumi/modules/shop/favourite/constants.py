"""Fixed values of favourites."""

MAX_FAVOURITES = 1000
"""How many favourites one customer may have."""

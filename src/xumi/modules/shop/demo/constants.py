"""Fixed values of demo data."""

PREFIX = "00DEMO"
"""How the ids of demo rows begin: made ids begin with the time, and those of the year 1970 are free."""
CUSTOMERS = 40
DAYS = 90
"""Over how many days the orders are spread."""
ORDERS_A_DAY = 3
"""On average."""
OPENING_STOCK = 500

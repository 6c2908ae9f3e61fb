"""Fixed values of sales figures."""

from datetime import timedelta, timezone

# China has one offset and no summer time.
CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
MAX_DAYS = 366
DEFAULT_DAYS = 30
MAX_BEST_SELLERS = 100
RECOUNT_WAIT_SECONDS = 30.0
"""How long a recount waits for events that are on their way."""

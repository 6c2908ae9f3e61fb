"""Fixed values of API keys."""

NAME_MAX_LENGTH = 64
MAX_KEYS = 50
"""How many valid keys one account may have."""
MAX_PERMISSIONS = 200
MAX_NETWORKS = 20
DEFAULT_DAYS = 90
MAX_DAYS = 366

KEPT_FOR_PEOPLE = ("apikey:", "email:", "identity:", "password:", "second-factor:", "session:")
"""How permissions begin that no key can have: whoever finds a key must not be able to change how its owner gets in."""

LOOK_OVERLAP_SECONDS = 60
"""How far back each look at the table reaches: longer than a transaction lasts and than clocks differ."""
USE_INTERVAL_SECONDS = 60
"""How often `last_used_at` of one key is written at most."""
PRUNE_INTERVAL_SECONDS = 3600
KEEP_DAYS = 90
"""How long a key that has ended can be looked at."""

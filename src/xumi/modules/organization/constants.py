"""Fixed values of the organization."""

CODE_MAX_LENGTH = 64
NAME_MAX_LENGTH = 100
MAX_DEPTH = 32
"""How many departments stand above one another at most."""
MAX_MEMBERS = 1000
"""How many members one call may set."""
MAX_DEPARTMENTS_OF_USER = 50

WATCH_BATCH = 1000
"""For how many users the departments are read at once."""

COUNTER, TREE, RULES = "counter", "departments", "scopes"
"""What a row of the changes can be about, beside a user."""

"""Who asks and what they may do: passwords, tokens, principals, permissions. Knows no table."""

import re

EVERYTHING = "*"
"""The permission that includes all others."""

MAX_PERMISSION_LENGTH = 128

_PERMISSION = re.compile(r"[a-z][a-z0-9_-]*(:[a-z][a-z0-9_-]*)+")


def is_permission(text: str) -> bool:
    """Whether a text is written as permissions are: words joined by colons, such as `article:publish`."""
    return len(text) <= MAX_PERMISSION_LENGTH and _PERMISSION.fullmatch(text) is not None

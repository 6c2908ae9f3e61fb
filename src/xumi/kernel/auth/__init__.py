"""Who asks and what they may do: passwords, tokens, principals, permissions. Knows no table."""

EVERYTHING = "*"
"""The permission that includes all others."""

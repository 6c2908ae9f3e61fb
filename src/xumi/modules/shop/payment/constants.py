"""Limits of payments."""

PROVIDER_MAX_LENGTH = 32
REFERENCE_MAX_LENGTH = 64
MAX_FEN = 10**15
"""More than fifty of the dearest lines cost."""

"""Who asks and what they may do: passwords, tokens, principals, permissions. Knows no table."""

"""The same endpoint with the same features, written in other ways."""

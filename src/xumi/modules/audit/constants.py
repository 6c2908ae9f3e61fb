"""Fixed values of the audit log."""

SYSTEM = "system"
"""The actor's name where nobody has signed in: commands, jobs, starts, public routes."""

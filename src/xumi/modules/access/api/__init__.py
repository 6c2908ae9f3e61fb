"""Endpoints of permissions and roles."""

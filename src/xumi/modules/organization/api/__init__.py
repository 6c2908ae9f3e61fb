"""Endpoints of the organization."""

"""Endpoints of menus."""

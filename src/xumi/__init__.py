"""Xumi: a production back end for Python teams, from one process to a fleet by configuration alone."""

__version__ = "0.1.0"

"""Where a database is: plain URLs, the driver for each, and the folder of an SQLite file."""

import importlib
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from xumi.kernel.errors import StartError

Dialect = Literal["sqlite", "postgresql", "mysql"]

CONNECT_TIMEOUT_SECONDS = 2.0

_DRIVERS: dict[str, tuple[Dialect, str]] = {
    "sqlite": ("sqlite", "sqlite+aiosqlite"),
    "postgres": ("postgresql", "postgresql+asyncpg"),
    "postgresql": ("postgresql", "postgresql+asyncpg"),
    "mysql": ("mysql", "mysql+asyncmy"),
    "mariadb": ("mysql", "mysql+asyncmy"),
}


# A project installs the driver of the database that it uses.
_EXTRAS: dict[Dialect, tuple[str, str]] = {
    "postgresql": ("asyncpg", "postgres"),
    "mysql": ("asyncmy", "mysql"),
}


def parse_url(url: str, setting: str = "DATABASE_URL") -> tuple[Dialect, URL]:
    """The kind of database and its URL with the driver that we use for it.

    Raises:
        StartError: the URL is malformed or names a database that is not supported. Never shows the password.
    """
    try:
        parsed = make_url(url)
        dialect, driver = _DRIVERS[parsed.drivername.partition("+")[0]]
    except (ArgumentError, KeyError, ValueError):
        raise StartError(
            f"{setting} must be like sqlite:///data/xumi.db, postgresql://user:password@host/name or "
            "mysql://user:password@host/name; special characters in the password are percent-encoded."
        ) from None
    return dialect, parsed.set(drivername=driver)


def prepare_file(url: URL) -> None:
    """Make an SQLite file and its folder, for its owner's eyes only: it holds password hashes."""
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)


def require_driver(dialect: Dialect) -> None:
    """See that the database's driver is installed.

    Raises:
        StartError: it is not.
    """
    module, extra = _EXTRAS.get(dialect, ("sqlite3", ""))
    try:
        importlib.import_module(module)
    except ImportError:
        raise StartError(
            f"DATABASE_URL names a {dialect} database, whose driver is not installed: pip install 'xumi[{extra}]'."
        ) from None

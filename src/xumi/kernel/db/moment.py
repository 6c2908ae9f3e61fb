"""The present moment by the database's own clock, which is one clock for all processes."""

from typing import Any

from sqlalchemy import Double, literal_column
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

# By dialect; inside a transaction, too, each gives the time at which its statement runs.
_SECONDS = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS double precision)",
    "mysql": "CAST(UNIX_TIMESTAMP(SYSDATE(6)) AS double)",
}


def database_seconds(session: AsyncSession) -> ColumnElement[float]:
    """Seconds since 1970 as an expression, to the millisecond at least."""
    name: Any = session.get_bind().dialect.name
    return literal_column(_SECONDS["mysql" if name == "mariadb" else name], Double)

"""What a database error means to the caller: the one place where driver errors are told apart.

unique constraint → 409 DUPLICATE naming the columns     deadlock, serialization → 503 TRANSACTION_CONFLICT
foreign key       → 409 REFERENCED                       lost connection, locked → 503 DATABASE_UNAVAILABLE
a value that does not fit the column → 422               anything else → None: a bug, and 500
"""

import re
from collections.abc import Sequence

from sqlalchemy import Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError

from xumi.kernel.errors import APICode, APIException, ErrorCode, FieldError

RETRY_AFTER = {"Retry-After": "1"}


class DatabaseUnavailable(Exception):
    """No connection can be had; the message says why, for the log."""


# SQLSTATE of PostgreSQL, whole or its class; https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_STATE = {
    "23505": APICode.DUPLICATE,
    "23P01": APICode.DUPLICATE,
    "23503": APICode.REFERENCED,
    "23001": APICode.REFERENCED,
    "40001": APICode.TRANSACTION_CONFLICT,
    "40P01": APICode.TRANSACTION_CONFLICT,
    "55P03": APICode.TRANSACTION_CONFLICT,
    "22001": APICode.VALIDATION_FAILED,
    "22003": APICode.VALIDATION_FAILED,
    "22008": APICode.VALIDATION_FAILED,
    "22021": APICode.VALIDATION_FAILED,
    "22P05": APICode.VALIDATION_FAILED,
    "57014": APICode.DATABASE_UNAVAILABLE,
    "25006": APICode.DATABASE_UNAVAILABLE,
    # The server refuses the password or has no such database: nothing the caller did.
    "28": APICode.DATABASE_UNAVAILABLE,
    "3D": APICode.DATABASE_UNAVAILABLE,
    "08": APICode.DATABASE_UNAVAILABLE,
    "53": APICode.DATABASE_UNAVAILABLE,
    "57P": APICode.DATABASE_UNAVAILABLE,
    "58": APICode.DATABASE_UNAVAILABLE,
}

# Error numbers of MySQL and MariaDB; https://mariadb.com/kb/en/mariadb-error-code-reference/
_BY_NUMBER = {
    1062: APICode.DUPLICATE,
    1451: APICode.REFERENCED,
    1452: APICode.REFERENCED,
    1205: APICode.TRANSACTION_CONFLICT,
    1213: APICode.TRANSACTION_CONFLICT,
    # A row changed after the transaction's snapshot.
    1020: APICode.TRANSACTION_CONFLICT,
    # A migration changed a table under a transaction.
    1412: APICode.TRANSACTION_CONFLICT,
    1264: APICode.VALIDATION_FAILED,
    1292: APICode.VALIDATION_FAILED,
    1366: APICode.VALIDATION_FAILED,
    1406: APICode.VALIDATION_FAILED,
    1690: APICode.VALIDATION_FAILED,
    # The server refuses the password or has no such database: nothing the caller did.
    1044: APICode.DATABASE_UNAVAILABLE,
    1045: APICode.DATABASE_UNAVAILABLE,
    1049: APICode.DATABASE_UNAVAILABLE,
    1040: APICode.DATABASE_UNAVAILABLE,
    1053: APICode.DATABASE_UNAVAILABLE,
    1114: APICode.DATABASE_UNAVAILABLE,
    1203: APICode.DATABASE_UNAVAILABLE,
    # The server is read-only, as a replica is.
    1290: APICode.DATABASE_UNAVAILABLE,
    1836: APICode.DATABASE_UNAVAILABLE,
    # The statement was stopped: by hand, or after the time that the server gives one.
    1317: APICode.DATABASE_UNAVAILABLE,
    1927: APICode.DATABASE_UNAVAILABLE,
    1969: APICode.DATABASE_UNAVAILABLE,
    3024: APICode.DATABASE_UNAVAILABLE,
    2002: APICode.DATABASE_UNAVAILABLE,
    2003: APICode.DATABASE_UNAVAILABLE,
    2006: APICode.DATABASE_UNAVAILABLE,
    2013: APICode.DATABASE_UNAVAILABLE,
    4031: APICode.DATABASE_UNAVAILABLE,
}

# SQLite says it in words; result codes are not given through all its drivers.
_BY_WORDS = (
    ("UNIQUE constraint failed", APICode.DUPLICATE),
    ("FOREIGN KEY constraint failed", APICode.REFERENCED),
    ("database is locked", APICode.DATABASE_UNAVAILABLE),
    ("database table is locked", APICode.DATABASE_UNAVAILABLE),
    ("disk is full", APICode.DATABASE_UNAVAILABLE),
    ("disk I/O error", APICode.DATABASE_UNAVAILABLE),
    ("unable to open database file", APICode.DATABASE_UNAVAILABLE),
    ("readonly database", APICode.DATABASE_UNAVAILABLE),
    ("rolled the transaction back", APICode.DATABASE_UNAVAILABLE),
    ("Python int too large to convert to SQLite INTEGER", APICode.VALIDATION_FAILED),
    # asyncpg found that a value cannot be sent as the type of its column.
    ("invalid input for query argument", APICode.VALIDATION_FAILED),
    # A migration changed a table under a prepared statement of an open transaction.
    ("cached statement plan is invalid", APICode.TRANSACTION_CONFLICT),
    ("connection is closed", APICode.DATABASE_UNAVAILABLE),
    ("connection was closed", APICode.DATABASE_UNAVAILABLE),
)

_SQLITE_COLUMNS = re.compile(r"UNIQUE constraint failed: (.+)$", re.MULTILINE)
_POSTGRES_COLUMNS = re.compile(r"^[^(]*\((.+?)\)=\(")
_MYSQL_KEY = re.compile(r"for key '(?:[^'.]+\.)?([^']+)'")


def translate(error: BaseException) -> APIException | None:
    """What to tell the caller about a database error; None when it is none, or is a bug of ours."""
    code = _code(error)
    if code is None:
        return None
    headers = RETRY_AFTER if code.status == 503 else None
    fields = _columns(error) if code is APICode.DUPLICATE else []
    return APIException(
        code, errors=[FieldError(field, code.text("en")) for field in fields], headers=headers
    )


def is_retryable(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is run again from its start."""
    return _code(error) is APICode.TRANSACTION_CONFLICT


def _chain(error: BaseException) -> Sequence[BaseException]:
    """The error and the driver's own errors inside it, outermost first."""
    chain: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in chain:
        chain.append(step)
        step = getattr(step, "orig", None) or (
            step.__cause__ if isinstance(step, DBAPIError) or len(chain) > 1 else None
        )
    return chain


def _code(error: BaseException) -> ErrorCode | None:
    if isinstance(error, DatabaseUnavailable | PoolTimeoutError):
        return APICode.DATABASE_UNAVAILABLE
    if isinstance(error, StaleDataError):
        return APICode.CONFLICT
    if isinstance(error, PendingRollbackError) or not _is_database_error(error):
        return None
    for step in _chain(error):
        if (code := _driver_code(step)) is not None:
            return code
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return APICode.DATABASE_UNAVAILABLE
    return None


def _is_database_error(error: BaseException) -> bool:
    """OverflowError is what sqlite3 raises for a number over 64 bits; only that text counts."""
    module = type(error).__module__.partition(".")[0]
    return module in ("sqlalchemy", "sqlite3", "asyncpg", "asyncmy", "pymysql") or isinstance(
        error, OverflowError
    )


def _driver_code(error: BaseException) -> ErrorCode | None:
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        for length in (5, 3, 2):
            if (code := _BY_STATE.get(state[:length])) is not None:
                return code
    if error.args and isinstance(error.args[0], int):
        return _BY_NUMBER.get(error.args[0])
    text = str(error.args[0]) if error.args else ""
    return next((code for words, code in _BY_WORDS if words in text), None)


def _columns(error: BaseException) -> list[str]:
    """The columns of the unique constraint that failed; empty when the database does not say."""
    for step in _chain(error):
        text = str(getattr(step, "detail", None) or (step.args[0] if step.args else ""))
        if found := _SQLITE_COLUMNS.search(text):
            return [name.rpartition(".")[2] for name in found[1].split(", ")]
        if getattr(step, "detail", None) and (found := _POSTGRES_COLUMNS.search(text)):
            return [name.strip('"') for name in found[1].split(", ")]
        if step.args and step.args[0] == 1062 and (found := _MYSQL_KEY.search(str(step.args[-1]))):
            return _columns_of_constraint(found[1])
    return []


def _columns_of_constraint(name: str) -> list[str]:
    from xumi.kernel.db.model import ModelBase

    # Tables without a class, and those of classes with a metadata of their own.
    mapped = [mapper.local_table for mapper in ModelBase.registry.mappers]
    for table in (*ModelBase.metadata.tables.values(), *mapped):
        for item in (*getattr(table, "constraints", ()), *getattr(table, "indexes", ())):
            if isinstance(item, Index | UniqueConstraint | PrimaryKeyConstraint) and item.name == name:
                return [column.name for column in item.columns]
    return []

"""The database: models, sessions, reads, lists, files of lists, errors and migrations."""

from xumi.kernel.db.bulk import insert_many, upsert
from xumi.kernel.db.engine import Database
from xumi.kernel.db.errors import DatabaseUnavailable, is_retryable, translate
from xumi.kernel.db.filters import DatetimeRange, FilterTypeEnum, Range, add_filters, get_condition
from xumi.kernel.db.model import ModelBase, ModelTimeColumns, UtcDateTime
from xumi.kernel.db.query import PaginateRequest, PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_all, fetch_one, fetch_value, get_one, primary
from xumi.kernel.db.session import DatabaseManager, Session, UnitOfWork, retry_on_conflict, unit_of_work

__all__ = [
    "Database",
    "DatabaseManager",
    "DatabaseUnavailable",
    "DatetimeRange",
    "FilterTypeEnum",
    "ModelBase",
    "ModelTimeColumns",
    "PaginateRequest",
    "PaginateResponse",
    "Range",
    "Session",
    "UnitOfWork",
    "UtcDateTime",
    "add_filters",
    "fetch_all",
    "fetch_one",
    "fetch_value",
    "get_condition",
    "get_one",
    "insert_many",
    "is_retryable",
    "paginate_query",
    "primary",
    "retry_on_conflict",
    "translate",
    "unit_of_work",
    "upsert",
]

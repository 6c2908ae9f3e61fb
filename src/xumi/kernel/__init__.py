"""The kernel: what every back end needs and no business word.

`from xumi.kernel import *` brings the vocabulary below. Each name is loaded when it is first used, so that a command that
needs only the configuration does not pay for the database.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xumi.kernel.auth.principal import CurrentPrincipal, Principal
    from xumi.kernel.command import Command, CommandBase
    from xumi.kernel.config import CONFIG, CONSTANTS, Section, section
    from xumi.kernel.db.bulk import insert_many, upsert
    from xumi.kernel.db.filters import FilterTypeEnum, add_filters, get_condition
    from xumi.kernel.db.model import ModelBase, ModelTimeColumns
    from xumi.kernel.db.query import PaginateRequest, PaginateResponse, paginate_query
    from xumi.kernel.db.read import fetch_all, fetch_one, fetch_value, get_one
    from xumi.kernel.db.session import DatabaseManager, Session, unit_of_work
    from xumi.kernel.errors import APICode, APIException, FieldError, define
    from xumi.kernel.events.consumer import consumer
    from xumi.kernel.events.event import Event
    from xumi.kernel.events.outbox import publish
    from xumi.kernel.http.router import get_router
    from xumi.kernel.ids import generate_key
    from xumi.kernel.jobs import job, progress, schedule
    from xumi.kernel.log import logger
    from xumi.kernel.modules import Module
    from xumi.kernel.schema import InputSchema, SchemaBase
    from xumi.kernel.secrets import SecretManager

_HOMES = {
    "auth.principal": ("CurrentPrincipal", "Principal"),
    "command": ("Command", "CommandBase"),
    "config": ("CONFIG", "CONSTANTS", "Section", "section"),
    "db.bulk": ("insert_many", "upsert"),
    "db.filters": ("FilterTypeEnum", "add_filters", "get_condition"),
    "db.model": ("ModelBase", "ModelTimeColumns"),
    "db.query": ("PaginateRequest", "PaginateResponse", "paginate_query"),
    "db.read": ("fetch_all", "fetch_one", "fetch_value", "get_one"),
    "db.session": ("DatabaseManager", "Session", "unit_of_work"),
    "errors": ("APICode", "APIException", "FieldError", "define"),
    "events.consumer": ("consumer",),
    "events.event": ("Event",),
    "events.outbox": ("publish",),
    "http.router": ("get_router",),
    "ids": ("generate_key",),
    "jobs": ("job", "progress", "schedule"),
    "log": ("logger",),
    "modules": ("Module",),
    "schema": ("InputSchema", "SchemaBase"),
    "secrets": ("SecretManager",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "CONFIG",
    "CONSTANTS",
    "APICode",
    "APIException",
    "Command",
    "CommandBase",
    "CurrentPrincipal",
    "DatabaseManager",
    "Event",
    "FieldError",
    "FilterTypeEnum",
    "InputSchema",
    "ModelBase",
    "ModelTimeColumns",
    "Module",
    "PaginateRequest",
    "PaginateResponse",
    "Principal",
    "SchemaBase",
    "SecretManager",
    "Section",
    "Session",
    "add_filters",
    "consumer",
    "define",
    "fetch_all",
    "fetch_one",
    "fetch_value",
    "generate_key",
    "get_condition",
    "get_one",
    "get_router",
    "insert_many",
    "job",
    "logger",
    "paginate_query",
    "progress",
    "publish",
    "schedule",
    "section",
    "unit_of_work",
    "upsert",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)

"""What handlers and dependencies were called with, in words that can be compared and sent back."""

import dataclasses
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi.security import SecurityScopes
from pydantic import BaseModel
from starlette.background import BackgroundTasks
from starlette.requests import HTTPConnection
from starlette.responses import Response

Call = tuple[str, Any]

CALLS: list[Call] = []
"""The calls of the request that runs now, in order. One request runs at a time."""


def seen(values: Mapping[str, Any]) -> Any:
    """Record a call of the function that calls this.

    Args:
        values: its `locals()`, taken before anything else.

    Returns:
        The arguments in words, which a handler may answer with.
    """
    arguments = {name: describe(value) for name, value in values.items() if name != "self"}
    CALLS.append((sys._getframe(1).f_code.co_qualname.rpartition("<locals>.")[2], arguments))
    return arguments


def mark(what: str) -> None:
    """Record a step that takes nothing: the exit of a dependency, a background task."""
    CALLS.append((what, None))


def describe(value: Any) -> Any:
    """A value by its exact type and content; JSON can carry the description."""
    name = type(value).__name__
    if isinstance(value, BaseModel):
        fields = {key: describe(item) for key, item in value.__dict__.items()}
        extra = {key: describe(item) for key, item in (value.model_extra or {}).items()}
        return [name, fields, sorted(value.model_fields_set), extra]
    if dataclasses.is_dataclass(value):
        return [
            name,
            {field.name: describe(getattr(value, field.name)) for field in dataclasses.fields(value)},
        ]
    if isinstance(value, dict):
        return [name, [[describe(key), describe(item)] for key, item in value.items()]]
    if isinstance(value, set | frozenset):
        return [name, sorted(repr(item) for item in value)]
    if isinstance(value, list | tuple | deque):
        return [name, [describe(item) for item in value]]
    if isinstance(value, Iterator):
        return ["iterator", [describe(item) for item in value]]
    if isinstance(value, HTTPConnection):
        return [name, value.scope["method"], value.scope["path"], repr(value.path_params)]
    if isinstance(value, Response):
        return [f"{type(value).__module__}.{name}", value.status_code, repr(value.raw_headers)]
    if isinstance(value, BackgroundTasks):
        return [f"{type(value).__module__}.{name}", len(value.tasks)]
    if isinstance(value, SecurityScopes):
        return [name, list(value.scopes), value.scope_str]
    return f"{name} {value!r}"

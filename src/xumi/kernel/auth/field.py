"""Fields of an answer that need a permission of their own.

    class EmployeeOut(SchemaBase):
        name: str
        salary: Annotated[int, NeedsPermission("employee:salary")]

For a caller without the permission the field is absent, not null, wherever the schema is sent: alone, nested, in lists and in files. A
list cannot be sorted by it, nor filtered by a field of its query that has the same annotation. The code is declared in
`Module.permissions`. A schema without such fields costs nothing.
"""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel, Field

from xumi.kernel.context import find_current


class _Hidden:
    """Whether the field is left out for who is answered now; pydantic asks it for every value."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    def __call__(self, _value: object = None) -> bool:
        context = find_current()
        if context is None or not context.is_request:
            return False
        principal = context.principal
        return principal is None or not context.resources.access.allows(principal, self.permission)


def NeedsPermission(permission: str) -> Any:  # noqa: N802 - reads as what it is in an annotation
    """Inside `Annotated`: the field is sent to callers with this permission only.

    Args:
        permission: a code such as `employee:salary`; write it in `Module.permissions` too.
    """
    return Field(exclude_if=_Hidden(permission))


def needs_permission(annotation: object) -> bool:
    """Whether a part of an annotation is what `NeedsPermission` gives."""
    return isinstance(getattr(annotation, "exclude_if", None), _Hidden)


_NOTHING: frozenset[str] = frozenset()


def hidden_fields(schema: type[BaseModel]) -> frozenset[str]:
    """The names of the fields that the caller may not see, in Python and in the body."""
    guarded = _guarded_fields(schema)
    if not guarded:
        return _NOTHING
    return frozenset().union(*(names for is_hidden, names in guarded if is_hidden()))


@lru_cache(maxsize=4096)
def _guarded_fields(schema: type[BaseModel]) -> tuple[tuple[_Hidden, frozenset[str]], ...]:
    """What hides each field that needs a permission, and the names of the field."""
    found = []
    for name, field in schema.model_fields.items():
        if isinstance(field.exclude_if, _Hidden):
            names = (name, field.alias, field.serialization_alias, field.validation_alias)
            found.append((field.exclude_if, frozenset(each for each in names if isinstance(each, str))))
    return tuple(found)

"""What FastAPI validates and describes values with: built when it is first asked for, and once for each class.

FastAPI builds a pydantic `TypeAdapter` for each parameter, body and answer of each route and, to write the OpenAPI document, one
for each field of each model besides. Half of them are never asked for, and most of the others say no more than a class that has
its own already. Routes ask for theirs when they are compiled, and `Pipeline.check` asks for all (`check_fields`).
"""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import TypeAdapter

# They say nothing about values.
_INDIFFERENT = ("alias", "repr")


class _Adapter:
    """The attribute `_type_adapter` of a field that was not asked for it yet."""

    def __init__(self, build: Callable[[Any], None], attributes_of: Callable[[Any], dict[str, Any]]) -> None:
        self._build, self._attributes_of = build, attributes_of

    def __get__(self, field: Any, owner: type) -> Any:
        if field is None:
            return self
        if self._says_no_more_than_its_class(field):
            field._type_adapter = _adapter_of(field.field_info.annotation)
        else:
            self._build(field)
        return vars(field)["_type_adapter"]

    def _says_no_more_than_its_class(self, field: Any) -> bool:
        info = field.field_info
        if not isinstance(info.annotation, type) or info.metadata or field.config is not None:
            return False
        said = self._attributes_of(info)["attributes"]
        return "default" not in said and all(
            value is None or name in _INDIFFERENT for name, value in said.items()
        )


def share_adapters() -> None:
    """Let all fields of FastAPI have their adapters in this way; those of a FastAPI that makes them otherwise stay as they are."""
    try:
        from fastapi._compat.v2 import ModelField, asdict
    except ImportError:
        return
    kind: Any = ModelField
    build = vars(kind).get("__post_init__")
    if build is not None and "_type_adapter" not in vars(kind):
        kind._type_adapter = _Adapter(build, asdict)
        kind.__post_init__ = lambda field: None


@cache
def _adapter_of(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def spare_old_pydantic() -> None:
    """Keep FastAPI from importing pydantic's first version only to ask whether a class is one of its models.

    It asks for each parameter. There is no such model unless somebody else has imported that version.
    """
    from fastapi import utils as module

    utils: Any = module
    ask = getattr(utils, "annotation_is_pydantic_v1", None)
    if ask is not None:
        utils.annotation_is_pydantic_v1 = lambda annotation: "pydantic.v1" in sys.modules and ask(annotation)


def check_fields(route: Any) -> None:
    """Build what validates a route's parameters and bodies, of its dependencies too, and its further answers.

    Raises:
        Exception: pydantic cannot validate one of them; the message says which.
    """
    fields = list(route.response_fields.values())
    dependants = [route.dependant]
    for dependant in dependants:
        dependants += dependant.dependencies
        fields += dependant.path_params + dependant.query_params + dependant.body_params
        fields += dependant.header_params + dependant.cookie_params
    for field in fields:
        getattr(field, "_type_adapter", None)

"""Path, query, header and cookie parameters of compiled routes: read straight from the ASGI scope.

The rules are FastAPI's (`fastapi.dependencies.utils`): the last of several values counts, a list takes them all, a missing
one is its default, an underscore in a header's name is a hyphen. Where a value does not validate, FastAPI reads the
request again and words the error.
"""

from collections.abc import Callable
from copy import deepcopy
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl

from fastapi._compat import field_annotation_is_sequence, get_cached_model_fields
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import _get_param_aliases, _get_param_model, _is_json_field
from pydantic_core import PydanticUndefined
from starlette.requests import cookie_parser
from starlette.types import Scope

from xumi.kernel.http.execution import Uncompilable

_UNCHANGING = (str, int, float, bool, bytes, Enum, type(None))
_MISSING = object()


class Miss(Exception):
    """A request that is left to FastAPI."""


class _Scalar:
    """One value, or a list of them, by name."""

    __slots__ = ("alias", "default", "is_list", "make_default", "name", "validate")

    def __init__(self, field: Any) -> None:
        aliases = _get_param_aliases(field)
        if len(aliases) != 1:
            raise Uncompilable(f"{field.name}: a parameter with several names")
        if field.field_info.validate_default:
            raise Uncompilable(f"{field.name}: a default that is validated")
        self.name, self.alias = field.name, aliases[0][1]
        self.is_list = not _is_json_field(field) and field_annotation_is_sequence(field.field_info.annotation)
        self.validate = field._type_adapter.validator.validate_python
        self.default = PydanticUndefined
        self.make_default: Callable[[], Any] | None = None
        if not field.field_info.is_required():
            self.default = field.field_info.default
            if not isinstance(self.default, _UNCHANGING):
                self.make_default = lambda: deepcopy(field.default)

    def read(self, raw: Any) -> Any:
        """The validated value of what came, `_MISSING` or an empty list for nothing."""
        if raw is _MISSING or (self.is_list and not raw):
            if self.make_default is not None:
                return self.make_default()
            if self.default is PydanticUndefined:
                raise Miss
            return self.default
        return self.validate(raw, from_attributes=True)


class _Model:
    """A pydantic model that collects query parameters."""

    __slots__ = ("lists", "name", "validate")

    def __init__(self, field: Any, model: type[Any]) -> None:
        if field.field_info.annotation is not model:
            raise Uncompilable(f"{field.name}: a model that may be left out")
        self.name = field.name
        self.validate = field._type_adapter.validator.validate_python
        self.lists: list[str] = []
        for inner in get_cached_model_fields(model):
            aliases = _get_param_aliases(inner)
            if len(aliases) != 1:
                raise Uncompilable(f"{field.name}.{inner.name}: a parameter with several names")
            if not _is_json_field(inner) and field_annotation_is_sequence(inner.field_info.annotation):
                self.lists.append(aliases[0][1])

    def read(self, pairs: list[tuple[str, str]], last: dict[str, str]) -> Any:
        """The model, made of all query parameters; those that it does not know are for its own policy."""
        # A copy: the model's own validators may take it apart.
        values: dict[str, Any] = dict(last)
        if self.lists or len(last) != len(pairs):
            for alias in self.lists:
                if alias in last:
                    values[alias] = [value for key, value in pairs if key == alias]
            # A name that is given twice and is no list: FastAPI knows what to do with it.
            if len(pairs) - len(last) != sum(len(values[a]) - 1 for a in self.lists if a in last):
                raise Miss
        return self.validate(values, from_attributes=True)


class Parameters:
    """The parameters of one handler or dependency.

    Raises:
        Uncompilable: one of them is left to FastAPI.
    """

    __slots__ = ("_cookies", "_headers", "_models", "_path", "_query")

    def __init__(self, dependant: Dependant) -> None:
        self._path = [_Scalar(field) for field in _plain(dependant.path_params)]
        self._headers = [_Scalar(field) for field in _plain(dependant.header_params)]
        self._cookies = [_Scalar(field) for field in _plain(dependant.cookie_params)]
        self._query: list[_Scalar] = []
        self._models: list[_Model] = []
        for field in dependant.query_params:
            model = _get_param_model(field)
            if model is None:
                self._query.append(_Scalar(field))
            else:
                self._models.append(_Model(field, model))

    def read(self, scope: Scope) -> dict[str, Any]:
        """The values by parameter name.

        Raises:
            Miss: one of them is left to FastAPI.
            Exception: one of them does not validate.
        """
        values: dict[str, Any] = {}
        for scalar in self._path:
            values[scalar.name] = scalar.read(scope["path_params"].get(scalar.alias, _MISSING))
        if self._query or self._models:
            self._read_query(scope, values)
        if self._headers:
            self._read_headers(scope, values)
        if self._cookies:
            self._read_cookies(scope, values)
        return values

    def _read_query(self, scope: Scope, values: dict[str, Any]) -> None:
        pairs = _parse_query(scope["query_string"])
        last = dict(pairs)
        for scalar in self._query:
            if scalar.is_list:
                values[scalar.name] = scalar.read([value for key, value in pairs if key == scalar.alias])
            else:
                values[scalar.name] = scalar.read(last.get(scalar.alias, _MISSING))
        for model in self._models:
            values[model.name] = model.read(pairs, last)

    def _read_headers(self, scope: Scope, values: dict[str, Any]) -> None:
        headers = scope["headers"]
        for scalar in self._headers:
            name = scalar.alias.lower().encode("latin-1")
            found = [value.decode("latin-1") for key, value in headers if key == name]
            if scalar.is_list:
                values[scalar.name] = scalar.read(found)
            else:
                # The first of several headers, as Starlette takes it.
                values[scalar.name] = scalar.read(found[0] if found else _MISSING)

    def _read_cookies(self, scope: Scope, values: dict[str, Any]) -> None:
        cookies: dict[str, str] = {}
        for key, value in scope["headers"]:
            if key == b"cookie":
                cookies.update(cookie_parser(value.decode("latin-1")))
        for scalar in self._cookies:
            values[scalar.name] = scalar.read(cookies.get(scalar.alias, _MISSING))


def _parse_query(query: bytes) -> list[tuple[str, str]]:
    """The parameters in their order, as `urllib.parse.parse_qsl` gives them."""
    if not query:
        return []
    text = query.decode("latin-1")
    if b"%" in query or b"+" in query:
        return parse_qsl(text, keep_blank_values=True)
    # Nothing to decode: a fifth of the time.
    return [(name, value) for name, _, value in [part.partition("=") for part in text.split("&") if part]]


def _plain(fields: list[Any]) -> list[Any]:
    for field in fields:
        if _get_param_model(field) is not None:
            raise Uncompilable(f"{field.name}: a model of path, header or cookie parameters")
    return fields

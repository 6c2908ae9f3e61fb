"""The examples of an OpenAPI document: what an operation shows, and whether that fits its schema."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

Schema = Mapping[str, Any]

NOTHING = object()
"""A schema shows no example."""

_NOTES = {"title", "description", "default", "examples", "deprecated"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_day(text: str) -> bool:
    return date.fromisoformat(text).isoformat() == text


_FORMATS: dict[str, Callable[[str], bool]] = {
    "binary": bool,  # a file is shown by a word about it
    "date": _is_day,
    "date-time": _is_moment,
}
_CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, kind: (
        isinstance(value, _TYPES[kind]) and isinstance(value, bool) == (kind == "boolean")
    ),
    "enum": lambda value, allowed: value in allowed,
    "const": lambda value, only: value == only,
    "format": lambda value, name: _FORMATS[name](value),
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
    "minLength": lambda value, least: len(value) >= least,
    "maxLength": lambda value, most: len(value) <= most,
    "minItems": lambda value, least: len(value) >= least,
    "maxItems": lambda value, most: len(value) <= most,
    "minProperties": lambda value, least: len(value) >= least,
    "maxProperties": lambda value, most: len(value) <= most,
    "uniqueItems": lambda value, _: len({repr(item) for item in value}) == len(value),
    "minimum": lambda value, least: value >= least,
    "exclusiveMinimum": lambda value, least: value > least,
    "maximum": lambda value, most: value <= most,
    "required": lambda value, names: value.keys() >= set(names),
}
"""What a value of the right type has to fulfil, by keyword of JSON schema."""


class Shown:
    """The examples of one document.

    Args:
        document: as `/openapi.json` gives it.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.operations: dict[str, Mapping[str, Any]] = {
            f"{method.upper()} {path}": operation
            for path, item in document["paths"].items()
            for method, operation in item.items()
        }

    def find_missing(self) -> list[str]:
        """The operations whose body, or whose answer, is not shown."""
        missing = []
        for label, operation in self.operations.items():
            contents = {f"the answer {status}": part for status, part in operation["responses"].items()}
            # Nothing comes with 204, and with a redirection only where to go.
            contents = {name: part for name, part in contents.items() if " 2" in name and " 204" not in name}
            if "requestBody" in operation:
                contents["the body"] = operation["requestBody"]
            for name, part in contents.items():
                shown = [self.show(content) for content in part.get("content", {}).values()]
                if not shown or NOTHING in shown:
                    missing.append(f"{label}: {name}")
        return missing

    def find_wrong(self) -> list[str]:
        """The examples anywhere that are none, each with what is wrong."""
        wrong = []
        for where, schema, value in self._list_all(self._document, ""):
            wrong += [f"{where}{fault}" for fault in self._find_faults(schema, value, "")]
        for label, operation in self.operations.items():
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in part.get("content", {}).values():
                    value = self.show(content)
                    if value is not NOTHING:
                        schema = content.get("schema", {})
                        wrong += [f"{label}{fault}" for fault in self._find_faults(schema, value, "")]
        return wrong

    def show(self, content: Mapping[str, Any]) -> Any:
        """What a reader is shown as a body: its own example, else what its schema's examples make together."""
        return content["example"] if "example" in content else self._compose(content.get("schema", {}))

    def _compose(self, schema: Schema, inside: tuple[str, ...] = ()) -> Any:
        """What the examples of a schema make together; a tree shows the children of `inside` by its own examples alone."""
        if schema.get("$ref") in inside:
            return NOTHING
        inside += (schema["$ref"],) if "$ref" in schema else ()
        schema = self._resolve(schema)
        if schema.get("examples"):
            return schema["examples"][0]
        for keyword, choose in (("const", lambda only: only), ("enum", lambda allowed: allowed[0])):
            if keyword in schema:
                return choose(schema[keyword])
        if "anyOf" in schema:
            shown = [self._compose(choice, inside) for choice in schema["anyOf"]]
            return next((value for value in shown if value not in (NOTHING, None)), NOTHING)
        match schema.get("type"):
            case "object":
                return self._compose_object(schema, inside)
            case "array":
                item = self._compose(schema.get("items", {}), inside)
                return NOTHING if item is NOTHING else [item]
            case "boolean":
                return schema.get("default", True)
            case "null":
                return None
        return NOTHING

    def _compose_object(self, schema: Schema, inside: tuple[str, ...]) -> Any:
        """All fields that show something; nothing if that is none of them, or if one is missing that must be there."""
        shown = {name: self._compose(part, inside) for name, part in schema.get("properties", {}).items()}
        present = {name: value for name, value in shown.items() if value is not NOTHING}
        return present if present and present.keys() >= set(schema.get("required", ())) else NOTHING

    def _resolve(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def _list_all(self, node: Any, where: str) -> Iterator[tuple[str, Schema, Any]]:
        if isinstance(node, list):
            for number, item in enumerate(node):
                yield from self._list_all(item, f"{where}/{number}")
        elif isinstance(node, dict):
            examples = node.get("examples")
            if isinstance(examples, list):
                yield from ((where, node, example) for example in examples)
            for name, part in node.items():
                if name not in ("example", "examples") or isinstance(part, dict):
                    yield from self._list_all(part, f"{where}/{name}")

    def _find_faults(self, schema: Schema, value: Any, where: str) -> Iterator[str]:
        """What keeps a value from fitting a schema.

        Raises:
            KeyError: the schema says something that is not understood here.
        """
        schema = self._resolve(schema)
        kind = schema.get("type")
        if kind is not None and not _CHECKS["type"](value, kind):
            yield f"{where}: {value!r} is no {kind}"
            return
        for keyword, rule in schema.items():
            if keyword in _NOTES:
                continue
            if keyword == "anyOf":
                if all(list(self._find_faults(choice, value, where)) for choice in rule):
                    yield f"{where}: {value!r} is none of {rule}"
            elif keyword == "items":
                for number, item in enumerate(value):
                    yield from self._find_faults(rule, item, f"{where}.{number}")
            elif keyword == "propertyNames":
                for name in value:
                    yield from self._find_faults(rule, name, f"{where}.{name}")
            elif keyword in ("properties", "additionalProperties"):
                yield from self._find_faults_inside(schema, keyword, value, where)
            elif not _CHECKS[keyword](value, rule):
                yield f"{where}: {value!r} does not fit {keyword} {rule!r}"

    def _find_faults_inside(self, schema: Schema, keyword: str, value: Any, where: str) -> Iterator[str]:
        declared = schema.get("properties", {})
        # What is not declared could be a misspelt name, even where such fields are allowed.
        others = schema.get("additionalProperties", False)
        for name, part in value.items():
            if name in declared:
                if keyword == "properties":
                    yield from self._find_faults(declared[name], part, f"{where}.{name}")
            elif others is False:
                yield f"{where}.{name} is not declared"
            elif others is not True and keyword == "additionalProperties":
                yield from self._find_faults(others, part, f"{where}.{name}")

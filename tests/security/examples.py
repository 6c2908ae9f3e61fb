"""Plausible input from a JSON schema: what the API documentation says a route takes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.conftest import PASSWORD

Schema = Mapping[str, Any]

NEW_PASSWORD = "another battery staple"
# What the type of a field does not say, its name does.
BY_NAME: dict[str, Any] = {
    "username": "made",
    "email": "made@example.com",
    "password": NEW_PASSWORD,
    "old_password": PASSWORD,
    "new_password": NEW_PASSWORD,
    "roles": ["user"],
}
BY_FORMAT = {
    "date-time": "2026-01-31T08:00:00Z",
    "date": "2026-01-31",
    "email": "made@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
# A request's id names nothing that anybody owns.
_NAMES_AN_OBJECT = re.compile(r"(?<!request)(^|_)(id|ids|by)$", re.IGNORECASE)


class Examples:
    """Makes values of the schemas of one document.

    Args:
        components: the document's named schemas.
    """

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self._components = components

    def resolve(self, schema: Schema) -> Schema:
        """The schema behind references, and of several that are allowed the first that is not null."""
        while True:
            if "$ref" in schema:
                schema = self._components[schema["$ref"].rpartition("/")[2]]
                continue
            choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
            if choices is None:
                return schema
            schema = next((choice for choice in choices if choice.get("type") != "null"), choices[0])

    def make(
        self, schema: Schema, known: Mapping[str, Any], name: str = "", *, optional: bool = False
    ) -> Any:
        """A value that the schema allows.

        Args:
            schema: of JSON, as OpenAPI has it.
            known: values by name of field; they go before the schema's own examples and what is made up.
            name: the field's.
            optional: whether objects get the fields too that may be left out. Those that are known, they always get.
        """
        schema = self.resolve(schema)
        if name in known:
            value = known[name]
            return [value] if schema.get("type") == "array" and not isinstance(value, list) else value
        if name in BY_NAME and schema.get("type") == "string":
            return BY_NAME[name]
        if schema.get("examples") and schema.get("type") != "object":
            return schema["examples"][0]
        if "const" in schema or "enum" in schema:
            return schema.get("const", (schema.get("enum") or [None])[0])
        match schema.get("type"):
            case "object":
                return self._make_object(schema, known, optional)
            case "array":
                return [self.make(schema.get("items", {}), known, name, optional=optional)]
            case "integer" | "number":
                return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
            case "boolean":
                return True
            case "null":
                return None
        return _make_text(schema)

    def _make_object(self, schema: Schema, known: Mapping[str, Any], optional: bool) -> dict[str, Any]:
        required, sample = schema.get("required", ()), (schema.get("examples") or [{}])[0]
        known = sample | BY_NAME | known
        return {
            name: self.make(part, known, name, optional=optional and not self._leads_to(part, schema))
            for name, part in schema.get("properties", {}).items()
            if name in required or name in known or (optional and not self._leads_to(part, schema))
        }

    def _leads_to(self, schema: Schema, outer: Schema) -> bool:
        """Whether it is the outer schema once more, or a list of it: a tree."""
        schema = self.resolve(schema)
        return schema is outer or (
            schema.get("type") == "array" and self._leads_to(schema.get("items", {}), outer)
        )

    def objects(
        self, schema: Schema, path: tuple[str | int, ...] = ()
    ) -> Iterator[tuple[tuple[str | int, ...], Schema]]:
        """Every object in a schema, with the way to it in a value that `make(…, optional=True)` made."""
        schema = self.resolve(schema)
        if schema.get("type") == "array":
            yield from self.objects(schema.get("items", {}), (*path, 0))
        elif schema.get("type") == "object":
            yield path, schema
            for name, part in schema.get("properties", {}).items():
                if not self._leads_to(part, schema):
                    yield from self.objects(part, (*path, name))

    def object_names(self, schema: Schema, name: str = "") -> set[str]:
        """The fields that name objects: `id`, `ids`, `…_id`, `…_ids`, `…_by`."""
        schema = self.resolve(schema)
        if schema.get("type") == "array":
            return self.object_names(schema.get("items", {}), name or schema.get("title", "").lower())
        if schema.get("type") == "object":
            parts = [
                part for part in schema.get("properties", {}).items() if not self._leads_to(part[1], schema)
            ]
            return set[str]().union(*(self.object_names(part, key) for key, part in parts))
        return {name} if _NAMES_AN_OBJECT.search(name) else set()


def _make_text(schema: Schema) -> str:
    text = BY_FORMAT.get(schema.get("format", ""), "example")
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema.get("maxLength", len(text))]

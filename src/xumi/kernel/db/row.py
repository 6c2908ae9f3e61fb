"""From rows to what a response holds.

The schema of a response decides: a field is taken from the column of its name. Where schema and columns fit, a row becomes a
small struct that has the schema's attributes and is encoded under its aliases, without any model being built. A field whose
value is not certain to fit is validated by pydantic alone; a schema with validators, serializers or computed fields of its own
is built by pydantic for every row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from xumi.kernel.db.columns import ResultColumn
from xumi.kernel.db.runner import Rows

Make = Callable[[Rows], list[Any]]
Converter = Callable[[Sequence[Any]], Sequence[Any]]
"""Takes a field's values in all rows."""

# Kinds of pydantic's core schema that msgspec writes exactly as pydantic does.
_PLAIN = frozenset(
    {"str", "int", "float", "bool", "decimal", "datetime", "date", "time", "uuid", "enum", "literal", "none"}
)
_CONTAINERS = {"nullable": "schema", "default": "schema", "list": "items_schema", "dict": "values_schema"}
_CHANGING = frozenset({"serialization", "strip_whitespace", "to_lower", "to_upper"})
# Settings of a model that change neither what is accepted from a row nor how it is written.
_HARMLESS_CONFIG = frozenset(
    {"title", "from_attributes", "frozen", "hide_input_in_errors", "validate_by_alias", "validate_by_name", "populate_by_name",
     "serialize_by_alias", "loc_by_alias", "validate_assignment", "strict", "validate_default"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of the response: its name in Python and in the body, where its value comes from, how it is converted."""

    name: str
    alias: str
    column: str | None
    convert: Converter | None
    make_default: Callable[[], Any] | None


def sources(names: Sequence[str], schema: type[BaseModel]) -> dict[str, str]:
    """Which column each field of a schema is taken from; fields with a default may have none.

    Raises:
        TypeError: no column gives a required field.
    """
    found = {}
    for name, field in schema.model_fields.items():
        wanted = (name, field.validation_alias, field.alias)
        column = next(
            (candidate for candidate in wanted if isinstance(candidate, str) and candidate in names), None
        )
        if column is not None:
            found[name] = column
        elif field.is_required():
            raise TypeError(
                f"{schema.__name__}.{name} has no column in the statement, which gives {', '.join(names)}: select it, "
                f"label an expression {name!r}, or give the field a default."
            )
    return found


def row_maker(columns: Sequence[ResultColumn], schema: type[BaseModel] | None) -> tuple[Make, bool]:
    """What turns rows into objects, and whether these are pydantic models.

    Args:
        columns: the columns of the rows.
        schema: the response's schema; None takes all columns as they are.
    """
    by_name = {column.name: column for column in reversed(columns)}
    if schema is None:
        return _struct_maker(
            "Row", [_Field(name, name, name, None, None) for name in by_name], columns
        ), False
    taken = sources(list(by_name), schema)
    fields = _plain_fields(schema, taken, by_name)
    if fields is None:
        return _model_maker(schema, taken, columns), True
    return _struct_maker(schema.__name__, fields, columns), False


def _plain_fields(
    schema: type[BaseModel], taken: Mapping[str, str], columns: Mapping[str, ResultColumn]
) -> list[_Field] | None:
    """The fields of a schema that needs no model; None if it needs one."""
    core = _plain_model(schema)
    if core is None:
        return None
    fields = []
    for name, field in schema.model_fields.items():
        if field.exclude:
            continue
        node = core[name]["schema"]
        column = columns[taken[name]] if name in taken else None
        if not _is_plain(node, column) or field.exclude_if is not None:
            return None
        convert = (
            None
            if column is None or _fits(node, column)
            else _Checked(schema, name, field, _json_type(node, column))
        )
        alias = field.serialization_alias or field.alias or name
        default = (
            None if column is not None else lambda field=field: field.get_default(call_default_factory=True)
        )
        fields.append(_Field(name, alias, column.name if column else None, convert, default))
    return fields


def _plain_model(schema: type[BaseModel]) -> Mapping[str, Any] | None:
    """The model's fields as pydantic compiled them, if it has no validator, serializer or computed field of its own."""
    schema.model_rebuild()
    node: Any = schema.__pydantic_core_schema__
    if node["type"] != "model" or node["custom_init"] or node.get("post_init") or node["root_model"]:
        return None
    config = {
        key for key, value in node["config"].items() if key != "extra_fields_behavior" or value == "allow"
    }
    inner = node["schema"]
    if (
        config - _HARMLESS_CONFIG
        or "serialization" in node
        or inner["type"] != "model-fields"
        or inner["computed_fields"]
    ):
        return None
    fields: Mapping[str, Any] = inner["fields"]
    return fields


def _is_plain(node: Any, column: ResultColumn | None) -> bool:
    kind = node["type"]
    if not _CHANGING.isdisjoint(node):
        return False
    if kind in _CONTAINERS:
        return _is_plain(node.get(_CONTAINERS[kind], {"type": "any"}), column)
    if kind == "union":
        return all(_is_plain(choice, column) for choice in node["choices"] if not isinstance(choice, tuple))
    if kind == "enum":
        return all(type(member.value) in (str, int) for member in node["members"])
    if kind == "any":
        return column is not None and (column.json or _kind(column) is not None)
    return kind in _PLAIN


def _fits(node: Any, column: ResultColumn) -> bool:
    """Whether every value of the column is a value of the field already."""
    if node["type"] == "default":
        node = node["schema"]
    if node["type"] == "any":
        return True
    if node["type"] == "nullable":
        node = node["schema"]
    elif column.nullable:
        return False
    if node["type"] == "enum":
        return bool(column.python_type is node["cls"])
    return bool(_kind(column) == node["type"])


def _json_type(node: Any, column: ResultColumn) -> type | None:
    """The type whose every value out of a JSON column fits: any JSON object is a `dict[str, Any]`, any array a `list[Any]`."""
    while node["type"] in ("default", "nullable"):
        node = node["schema"]
    if not column.json or node.get("strict") or {"min_length", "max_length"} & node.keys():
        return None
    anything = {"type": "any"}
    if node["type"] == "dict" and node.get("values_schema", anything) == anything:
        return dict if node.get("keys_schema", {"type": "str"}) == {"type": "str"} else None
    return list if node["type"] == "list" and node.get("items_schema", anything) == anything else None


def _kind(column: ResultColumn) -> str | None:
    """The kind of core schema that the column's values are; None when uncertain or written differently by msgspec."""
    if column.python_type is None:
        return None
    return "enum" if issubclass(column.python_type, Enum) else _KINDS.get(column.python_type)


_KINDS: dict[type, str] = {
    str: "str", int: "int", float: "float", bool: "bool", Decimal: "decimal", datetime: "datetime", date: "date",
    time: "time", UUID: "uuid",
}  # fmt: skip


class _Checked:
    """Validates one field's values by pydantic, all of a column at once; values of a type that is known to fit pass.

    Raises:
        TypeError: the database holds a value that the schema does not allow.
    """

    def __init__(self, schema: type[BaseModel], name: str, field: FieldInfo, accepted: type | None) -> None:
        self._where = f"{schema.__name__}.{name}"
        self._accepted = None if accepted is None else {accepted}
        annotation: Any = field.rebuild_annotation()
        self._validate = TypeAdapter(list[annotation]).validator.validate_python

    def __call__(self, values: Sequence[Any]) -> Sequence[Any]:
        if self._accepted is not None and set(map(type, values)) == self._accepted:
            return values
        try:
            checked: list[Any] = self._validate(list(values))
        except ValidationError as error:
            first = error.errors()[0]
            value = values[int(first["loc"][0])]
            raise TypeError(f"{self._where}: the database gave {value!r}: {first['msg']}.") from None
        return checked


def _struct_maker(title: str, fields: Sequence[_Field], columns: Sequence[ResultColumn]) -> Make:
    struct = msgspec.defstruct(
        title,
        [(field.name, Any) for field in fields],
        rename={field.name: field.alias for field in fields},
        gc=False,
    )
    index = {column.name: position for position, column in reversed(list(enumerate(columns)))}
    places = _places(fields, index, len(columns))
    defaults = [field.make_default for field in fields if field.make_default is not None]
    processes = [
        (place, process)
        for place, process in enumerate(column.process for column in columns)
        if process is not None and place in places
    ]
    conversions = [(at, field.convert) for at, field in enumerate(fields) if field.convert is not None]

    def make(rows: Rows) -> list[Any]:
        # By column: the interpreter then loops over rows in C.
        values: list[Sequence[Any]] = list(zip(*rows, strict=True))
        if not values or not places:
            return [struct() for _ in rows]
        for place, process in processes:
            values[place] = list(map(process, values[place]))
        values.extend([default() for _ in rows] for default in defaults)
        arguments = [values[place] for place in places]
        for at, convert in conversions:
            arguments[at] = convert(arguments[at])
        return list(map(struct, *arguments))

    return make


def _places(fields: Sequence[_Field], index: Mapping[str, int], width: int) -> list[int]:
    """Where among the columns, followed by the defaults, each field's values stand."""
    places, default = [], width
    for field in fields:
        if field.column is None:
            places.append(default)
            default += 1
        else:
            places.append(index[field.column])
    return places


def _model_maker(schema: type[BaseModel], taken: Mapping[str, str], columns: Sequence[ResultColumn]) -> Make:
    index = {column.name: position for position, column in reversed(list(enumerate(columns)))}
    plan = [(name, index[column], columns[index[column]].process) for name, column in taken.items()]

    def make(rows: Rows) -> list[Any]:
        made = []
        for row in rows:
            values = {name: row[at] if process is None else process(row[at]) for name, at, process in plan}
            made.append(schema.model_validate(values, by_alias=True, by_name=True))
        return made

    return make

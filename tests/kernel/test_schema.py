"""The base classes of what goes in and out of the API."""

from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from xumi.kernel.schema import InputSchema, SchemaBase


class ThingOut(SchemaBase):
    id: str
    name: str


class ThingCreate(InputSchema):
    name: str
    note: str | None = None


def test_an_entity_is_read_by_attribute() -> None:
    entity = SimpleNamespace(id="1", name="n", secret="s")
    assert ThingOut.model_validate(entity).model_dump() == {"id": "1", "name": "n"}


def test_a_misspelt_field_is_refused() -> None:
    assert ThingCreate.model_validate({"name": "n", "note": None}).note is None
    with pytest.raises(ValidationError) as caught:
        ThingCreate.model_validate({"name": "n", "naem": "x"})
    assert [error["loc"] for error in caught.value.errors()] == [("naem",)]


@pytest.mark.parametrize("field", ["name", "note"])
def test_a_text_that_postgresql_cannot_store_is_refused(field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ThingCreate.model_validate({"name": "n", field: "a\0b"})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


class Much(InputSchema):
    names: list[str] | None = None
    values: dict[str, object] | None = None


@pytest.mark.parametrize(
    ("field", "given"),
    [("names", ["a", "b\0"]), ("values", {"a\0": 1}), ("values", {"a": [{"b": "\0"}]})],
)
def test_neither_is_a_list_or_an_object_that_holds_one(field: str, given: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Much.model_validate({field: given})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]
    assert Much.model_validate({"names": ["a"], "values": {"a": [1, None]}}).names == ["a"]

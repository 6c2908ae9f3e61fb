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

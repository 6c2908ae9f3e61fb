"""The documentation shows a body and an answer of every operation, and what it shows is right."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from fastapi import Body
from pydantic import ConfigDict, Field

from tests.api.shown import NOTHING, Shown
from tests.conftest import make_settings
from xumi.api import Application
from xumi.kernel.http.router import get_router
from xumi.kernel.modules import Feature, Module, discover
from xumi.kernel.schema import InputSchema, SchemaBase
from xumi.kernel.testing.client import open_client

pytestmark = pytest.mark.anyio


def make_app(directory: Path, *features: Feature) -> Application:
    """One with these features, or with all of ours. It need not be started: the document needs no database."""
    settings = make_settings(f"sqlite:///{directory}/test.db")
    return Application(settings, features or discover(settings.modules))


async def read_document(app: Application) -> Shown:
    async with open_client(app) as client:
        return Shown((await client.get("/openapi.json")).json())


async def test_every_operation_shows_its_body_and_its_answer(tmp_path: Path) -> None:
    shown = await read_document(make_app(tmp_path))
    assert len(shown.operations) > 100
    assert shown.find_missing() == []


async def test_every_example_fits_its_schema(tmp_path: Path) -> None:
    assert (await read_document(make_app(tmp_path))).find_wrong() == []


async def test_every_body_that_is_shown_is_taken(tmp_path: Path) -> None:
    """Validators know more than a schema tells."""
    app = make_app(tmp_path)
    shown, refused, taken = await read_document(app), [], 0
    for route in app.table.routes:
        if not route.takes_json or not route.include_in_schema:
            continue
        for method in route.methods or ():
            label = f"{method} {route.path_format}"
            body = shown.show(shown.operations[label]["requestBody"]["content"]["application/json"])
            if route.structs.body is not None:
                msgspec.convert(body, route.structs.body)
            elif route.body_field is not None:
                _, errors = route.body_field.validate(body, {}, loc=())
                refused += [(label, error) for error in errors]
            taken += 1
    assert refused == []
    assert taken > 40


class Mute(InputSchema):
    """A body that shows nothing."""

    name: str


class MuteOut(SchemaBase):
    """An answer that shows nothing."""

    name: str


class Told(InputSchema):
    """A body that shows all of it."""

    name: str = Field(examples=["amy"])


class ToldOut(SchemaBase):
    """An answer that shows all of it."""

    name: str = Field(examples=["amy"])


class Half(InputSchema):
    """A body of which a part is shown."""

    name: str = Field(examples=["amy"])
    colour: str


def plant(body: Any, answer: Any) -> Feature:
    """A feature with one operation that takes and gives these."""
    router = get_router(prefix="/planted")

    async def do(body: Any) -> Any:
        return body

    do.__annotations__ = {"body": Annotated[body, Body()], "return": answer}
    router.post("", public=True)(do)
    module = Module(name="planted", title_en="Planted", title_zh="种植")
    return Feature(module, __name__, [router])


@pytest.mark.parametrize(
    ("body", "answer", "missing"),
    [
        (Told, ToldOut, []),
        (Told, list[ToldOut], []),
        (Told, ToldOut | None, []),
        (Told, None, []),
        (Mute, ToldOut, ["the body"]),
        (Half, ToldOut, ["the body"]),
        (Told, MuteOut, ["the answer 200"]),
        (Told, str, ["the answer 200"]),
        (Told, dict[str, Any], ["the answer 200"]),
        (Told, list[MuteOut], ["the answer 200"]),
        (dict[str, str], MuteOut, ["the answer 200", "the body"]),
    ],
)
async def test_an_operation_that_shows_nothing_is_found(
    tmp_path: Path, body: Any, answer: Any, missing: list[str]
) -> None:
    shown = await read_document(make_app(tmp_path, plant(body, answer)))
    assert shown.find_missing() == [f"POST /planted: {part}" for part in missing]


class Order(SchemaBase):
    """Examples that are wrong are planted into this."""

    kind: str = Field(min_length=2, max_length=5, pattern="^[a-z]+$")
    count: int = Field(ge=1, le=9)
    at: datetime | None = None
    tags: set[str] = Field(max_length=2)


GOOD: dict[str, Any] = {
    "kind": "book",
    "count": 1,
    "at": "2026-11-21T09:30:00Z",
    "tags": ["new"],
}


@pytest.mark.parametrize(
    ("change", "is_right"),
    [
        ({}, True),
        ({"at": None}, True),
        ({"kind": "a"}, False),
        ({"kind": "magazine"}, False),
        ({"kind": "Book"}, False),
        ({"kind": 7}, False),
        ({"count": 0}, False),
        ({"count": 10}, False),
        ({"count": "1"}, False),
        ({"count": True}, False),
        ({"at": "yesterday"}, False),
        ({"at": "2026-11-21T09:30:00"}, False),
        ({"tags": ["a", "b", "c"]}, False),
        ({"tags": ["a", "a"]}, False),
        ({"tags": "a"}, False),
        ({"colour": "red"}, False),
        ({"kind": NOTHING}, False),
    ],
)
async def test_an_example_that_is_wrong_is_found(
    tmp_path: Path, change: dict[str, Any], is_right: bool
) -> None:
    example = {name: value for name, value in (GOOD | change).items() if value is not NOTHING}

    class Planted(Order):
        model_config = ConfigDict(json_schema_extra={"examples": [GOOD, example]})

    wrong = (await read_document(make_app(tmp_path, plant(Told, Planted)))).find_wrong()
    assert (wrong == []) is is_right, wrong
    assert all("Planted" in fault for fault in wrong)


async def test_an_example_of_the_whole_answer_is_looked_at_too(tmp_path: Path) -> None:
    router = get_router(prefix="/planted")

    @router.get("", public=True, responses={200: {"content": {"application/json": {"example": ["a"]}}}})
    async def list_numbers() -> list[int]:
        return []

    module = Module(name="planted", title_en="Planted", title_zh="种植")
    shown = await read_document(make_app(tmp_path, Feature(module, __name__, [router])))
    assert shown.show(
        shown.operations["GET /planted"]["responses"]["200"]["content"]["application/json"]
    ) == {
        "code": 200,
        "message": "success",
        "data": ["a"],
    }
    assert shown.find_wrong() == ["GET /planted.data.0: 'a' is no integer"]

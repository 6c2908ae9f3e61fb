"""Fields of FastAPI that share what validates them: a wrong declaration is found all the same."""

import warnings
from typing import Annotated

import pytest
from fastapi import Depends, Query
from fastapi.exceptions import PydanticV1NotSupportedError
from pydantic import PydanticSchemaGenerationError

from tests.kernel.http.conftest import Serve
from xumi.kernel.http.router import Router
from xumi.kernel.schema import InputSchema, SchemaBase


class Unknown:
    """Nothing that pydantic could validate."""


class Note(InputSchema):
    text: str


class NoteOut(SchemaBase):
    text: str


async def ask(unknown: Annotated[Unknown, Query()]) -> None: ...


async def takes_parameter(unknown: Annotated[list[Unknown], Query()]) -> None: ...


async def takes_body(unknown: Unknown) -> None: ...


async def takes_body_after_another(note: Note, unknown: list[Unknown]) -> None: ...


async def depends(asked: Annotated[None, Depends(ask)]) -> None: ...


async def answers() -> list[Unknown]:
    return []


@pytest.mark.parametrize(
    "endpoint", [takes_parameter, takes_body, takes_body_after_another, depends, answers]
)
def test_what_cannot_be_validated_is_found_by_a_check(endpoint: object) -> None:
    router = Router()
    router.post("/things", public=True)(endpoint)  # type: ignore[arg-type]
    with pytest.raises((PydanticSchemaGenerationError, AssertionError), match=r"Unknown|unknown"):
        router.routes[0].check()


def test_a_further_answer_that_cannot_be_described_is_found_too() -> None:
    async def endpoint() -> None: ...

    router = Router()
    router.get("/things", public=True, responses={409: {"model": list[Unknown]}})(endpoint)
    with pytest.raises(PydanticSchemaGenerationError, match="Unknown"):
        router.routes[0].check()


def test_routes_with_one_class_share_one_adapter_and_those_that_say_more_do_not() -> None:
    router = Router()

    async def add(note: Note, page: int, limit: int = 20, size: Annotated[int, Query(ge=1)] = 1) -> NoteOut:
        return NoteOut(text=note.text)

    async def put(note: Note, page: int, limit: int = 30) -> NoteOut:
        return NoteOut(text=note.text)

    router.post("/notes", public=True)(add)
    router.put("/notes", public=True)(put)
    one, other = (route.dependant for route in router.routes)
    assert one.body_params[0]._type_adapter is other.body_params[0]._type_adapter
    page, limit, size = (field._type_adapter for field in one.query_params)
    assert page is other.query_params[0]._type_adapter
    assert len({id(each) for each in (page, limit, size, other.query_params[1]._type_adapter)}) == 4
    assert limit.get_default_value().value == 20


async def test_a_shared_adapter_validates_and_is_described_as_its_own_would(serve: Serve) -> None:
    router = Router(prefix="/api/v1/notes")

    @router.post("", public=True)
    async def add(note: Note, copies: int, limit: int = 20) -> NoteOut:
        return NoteOut(text=note.text * copies * limit)

    async with serve(router) as client:
        good = await client.post("/api/v1/notes?copies=2&limit=1", json={"text": "ab"})
        bad = await client.post("/api/v1/notes?copies=x", json={"text": "ab", "other": 1})
    assert good.json()["data"] == {"text": "abab"}
    assert {error["field"] for error in bad.json()["errors"]} == {"copies", "other"}


def test_a_model_of_the_first_pydantic_is_still_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pydantic import v1

    class Old(v1.BaseModel):
        text: str

    async def add(old: Old) -> None: ...

    router = Router()
    router.post("/old", public=True)(add)
    with pytest.raises(PydanticV1NotSupportedError):
        router.routes[0].check()

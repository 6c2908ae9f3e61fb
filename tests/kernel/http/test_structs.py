"""msgspec structs in handlers: what is refused, how it is said, and what stands in the OpenAPI document."""

from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from tests.kernel.http.conftest import Serve
from xumi.kernel.errors import StartError
from xumi.kernel.http.envelope import Envelope
from xumi.kernel.http.openapi import build_document
from xumi.kernel.http.router import Router, RouteTable


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """A thing with a price."""

    price: int
    name: str = ""


class Order(msgspec.Struct):
    """Things to order."""

    items: list[Item]
    stock: dict[str, int] = {}
    extra: Any = None


class Total(msgspec.Struct):
    """What an order costs."""

    total: int


def shop() -> Router:
    router = Router()

    @router.post("/orders", public=True, status_code=201)
    async def order(order: Order, factor: int = 1) -> Total:
        return Total(factor * sum(item.price for item in order.items))

    @router.get("/items", public=True)
    async def items() -> list[Item]:
        return [Item(1, "a"), Item(2)]

    @router.get("/leak", public=True)
    async def leak() -> Total:
        return {"total": 3, "password_hash": "secret"}  # type: ignore[return-value]

    @router.get("/remembered", public=True)
    async def remembered() -> list[Item]:
        return msgspec.Raw(b'[{"price":1,"name":"a"}]')  # type: ignore[return-value]

    return router


both_ways = pytest.mark.parametrize("compiled", [True, False])


@both_ways
async def test_json_goes_as_it_is(serve: Serve, compiled: bool) -> None:
    async with serve(shop(), compile_routes=compiled) as client:
        assert (await client.get("/remembered")).json()["data"] == [{"price": 1, "name": "a"}]


@both_ways
async def test_a_struct_comes_and_a_struct_goes(serve: Serve, compiled: bool) -> None:
    async with serve(shop(), compile_routes=compiled) as client:
        client.app.check()
        assert client.app.uncompiled == {}
        answer = await client.post("/orders?factor=2", json={"items": [{"price": 3}, {"price": 4}]})
        assert (answer.status_code, answer.json()["data"]) == (201, {"total": 14})
        assert (await client.get("/items")).json()["data"] == [
            {"price": 1, "name": "a"},
            {"price": 2, "name": ""},
        ]


@both_ways
async def test_only_the_fields_of_the_declared_struct_go_out(serve: Serve, compiled: bool) -> None:
    async with serve(shop(), compile_routes=compiled) as client:
        answer = await client.get("/leak")
        assert answer.json()["data"] == {"total": 3}
        assert "secret" not in answer.text


@both_ways
@pytest.mark.parametrize(
    ("body", "status", "field", "reason"),
    [
        ('{"items":[{"price":1},{"price":"x"}]}', 422, "items.1.price", "Expected `int`, got `str`"),
        ('{"items":[{}]}', 422, "items.0.price", "Object missing required field `price`"),
        ('{"items":[{"price":1,"z":1}]}', 422, "items.0.z", "Object contains unknown field `z`"),
        ("{}", 422, "items", "Object missing required field `items`"),
        ("[]", 422, "body", "Expected `object`, got `array`"),
        ('{"items":[],"stock":{"a":"b"}}', 422, "stock.*", "Expected `int`, got `str`"),
        ('{"items":[', 400, None, "input data was truncated"),
        ("", 400, None, "input data was truncated"),
        ('{"items":NaN}', 400, None, "invalid character (byte 9)"),
        ('{"items":[],"extra":' + "[" * 10_000 + "]" * 10_000 + "}", 400, None, "it is nested too deeply"),
    ],
)
async def test_what_is_wrong_is_told_by_field(
    serve: Serve, compiled: bool, body: str, status: int, field: str | None, reason: str
) -> None:
    async with serve(shop(), compile_routes=compiled) as client:
        answer = await client.post("/orders", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    if field is not None:
        assert answer.json()["errors"] == [{"field": field, "reason": reason}]
    else:
        assert reason in answer.json()["message"]


@both_ways
async def test_other_types_and_encodings_are_refused(serve: Serve, compiled: bool) -> None:
    async with serve(shop(), compile_routes=compiled) as client:
        form = await client.post("/orders", data={"items": "1"})
        assert form.status_code == 415
        headers = {"Content-Type": "application/json"}
        latin = await client.post("/orders", content=b'{"items":[],"extra":"\xe9"}', headers=headers)
        assert (latin.status_code, latin.json()["code"]) == (400, 40002)


def test_the_openapi_document_has_the_structs() -> None:
    router = shop()
    operation, schemas = document_of(router)
    ref = {"$ref": "#/components/schemas/Order"}
    assert operation["requestBody"] == {"required": True, "content": {"application/json": {"schema": ref}}}
    data = operation["responses"]["201"]["content"]["application/json"]["schema"]["properties"]["data"]
    assert data == {"$ref": "#/components/schemas/Total"}
    assert schemas["Order"]["properties"]["items"]["items"] == {"$ref": "#/components/schemas/Item"}
    assert schemas["Item"]["required"] == ["price"]


def test_a_struct_and_a_model_may_have_one_name() -> None:
    class Total(BaseModel):
        other: str

    router = shop()

    @router.get("/total", public=True)
    async def total() -> Total:
        return Total(other="")

    operation, schemas = document_of(router)
    data = operation["responses"]["201"]["content"]["application/json"]["schema"]["properties"]["data"]
    assert data == {"$ref": "#/components/schemas/Struct.Total"}
    assert "other" in schemas["Total"]["properties"]
    assert "total" in schemas["Struct.Total"]["properties"]


def document_of(router: Router) -> tuple[dict[str, Any], dict[str, Any]]:
    """The operation of POST /orders, and all schemas."""
    fastapi = FastAPI()
    fastapi.router.routes[:] = router.routes
    document = build_document(fastapi, RouteTable(router.routes), Envelope())
    return document["paths"]["/orders"]["post"], document["components"]["schemas"]


def test_declarations_that_cannot_be_meant() -> None:
    router = Router()

    async def two(order: Order, item: Item) -> None: ...

    async def left_out(order: Order = Order([])) -> None: ...  # noqa: B008

    class Model(BaseModel):
        name: str

    async def mixed(order: Order, model: Model) -> None: ...

    async def stream(order: Order) -> Any:
        yield b""

    for endpoint, message in (
        (two, "takes one"),
        (left_out, "without a default"),
        (mixed, "no other body"),
        (stream, "no stream"),
    ):
        router.add_api_route("/x", endpoint, methods=["POST"], public=True)
        with pytest.raises(StartError, match=message):
            router.routes[-1].check()

"""Bodies that are meant to hurt: refused with a clear 4xx, or taken as what they are, soon and without a 5xx, on every path.

A handler takes its body as a pydantic model, as anything, as exact numbers or as a struct, and each of them compiled and on
FastAPI's own path.
"""

from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest
from fastapi import Body

from tests.kernel.http.conftest import serve as serve
from xumi.kernel.http.router import Router
from xumi.kernel.schema import InputSchema

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}


class Thing(InputSchema):
    """One field of each kind."""

    text: str = ""
    whole: int = 0
    ratio: float = 0.0
    anything: Any = None


class Exact(InputSchema):
    """Validated from objects, not from the text."""

    text: str = ""
    whole: int | str = 0
    ratio: Decimal = Decimal(0)
    anything: Any = None


class Quick(msgspec.Struct):
    """The same as a struct."""

    text: str = ""
    whole: int = 0
    ratio: float = 0.0
    anything: Any = None


def echoes() -> Router:
    """Handlers that answer with what they took."""
    router = Router()

    @router.post("/model", public=True)
    async def model(thing: Thing) -> Thing:
        return thing

    @router.post("/exact", public=True)
    async def exact(exact: Exact) -> Exact:
        return exact

    @router.post("/any", public=True)
    async def any_(thing: Annotated[Any, Body()]) -> Any:
        return thing

    @router.post("/struct", public=True)
    async def struct(quick: Quick) -> Quick:
        return quick

    return router


ROUTES = ("/model", "/exact", "/any", "/struct")
DEEP = 10_000
DIGITS = "9" * 100_000

HOSTILE: dict[str, str | bytes] = {
    "deep arrays": '{"anything":' + "[" * DEEP + "]" * DEEP + "}",
    "deep objects": '{"anything":' + '{"a":' * DEEP + "1" + "}" * DEEP + "}",
    "deep and open": '{"anything":' + "[" * (MIB - 20),
    "many digits": '{"whole":' + DIGITS + "}",
    "many digits in anything": '{"anything":' + DIGITS + "}",
    "many digits of a fraction": '{"ratio":0.' + DIGITS + "}",
    "many digits before a point": '{"ratio":' + DIGITS + ".5}",
    "a text of digits": '{"whole":"' + DIGITS + '","ratio":"' + DIGITS + '"}',
    "a large exponent": '{"ratio":1e999,"anything":1e999}',
    "a huge exponent": '{"ratio":1e999999999}',
    "a text with a huge exponent": '{"ratio":"1e999999999"}',
    "NaN": '{"ratio":NaN}',
    "infinity": '{"ratio":Infinity,"anything":-Infinity}',
    "NaN in anything": '{"anything":NaN}',
    "a lone surrogate": '{"text":"\\ud800"}',
    "a lone surrogate in anything": '{"anything":"\\ud800"}',
    "a lone surrogate as a key": '{"anything":{"\\udfff":1}}',
    "a lone surrogate below much": '{"anything":' + "[" * 300 + '"\\ud800"' + "]" * 300 + "}",
    "a lone surrogate in UTF-16": '{"anything":"\\ud800"}'.encode("utf-16"),
    "a lone surrogate in UTF-16 without a mark": '{"anything":"\\ud800"}'.encode("utf-16-le"),
    "a lone surrogate as bytes": b'{"anything":"\xed\xa0\x80"}',
    "surrogates in the wrong order": '{"anything":"\\udc00\\ud800"}',
    "many keys": "{" + ",".join(f'"k{n}":1' for n in range(60_000)) + "}",
    "one key many times": "{" + ",".join(['"text":"a"'] * 60_000) + "}",
    "nothing but numbers": '{"anything":[' + ",".join(["1"] * 400_000) + "]}",
}

both_ways = pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "plain"])
every_route = pytest.mark.parametrize("route", ROUTES)


@pytest.mark.timeout(20)
@both_ways
@every_route
@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_body_is_no_fault_of_ours(serve: Any, compiled: bool, route: str, name: str) -> None:
    async with serve(echoes(), compile_routes=compiled) as client:
        answer = await client.post(route, content=HOSTILE[name], headers=JSON)
        assert answer.status_code in (200, 400, 413, 422), answer.text[:300]
        # Strict readers of JSON can read every answer, and a refusal says what was wrong.
        body = msgspec.json.decode(answer.content)
        if answer.status_code != 200:
            assert body["code"] // 100 == answer.status_code
            assert body["message"]
            assert len(answer.content) < 2 * MIB


@both_ways
@every_route
@pytest.mark.parametrize("name", ["deep arrays", "deep objects", "deep and open"])
async def test_depth_is_refused(serve: Any, compiled: bool, route: str, name: str) -> None:
    async with serve(echoes(), compile_routes=compiled) as client:
        answer = await client.post(route, content=HOSTILE[name], headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, 40001)


@both_ways
@every_route
async def test_one_byte_too_many_is_refused(serve: Any, compiled: bool, route: str) -> None:
    text = '{"text":"' + "x" * (MIB - 11) + '"}'
    assert len(text) == MIB
    async with serve(echoes(), compile_routes=compiled) as client:
        assert (await client.post(route, content=text, headers=JSON)).status_code == 200
        answer = await client.post(route, content=text + " ", headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, 41300)

        async def pieces() -> Any:
            yield text.encode()
            yield b" "

        answer = await client.post(route, content=pieces(), headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, 41300)


@both_ways
@every_route
async def test_of_a_key_that_comes_twice_the_last_counts(serve: Any, compiled: bool, route: str) -> None:
    async with serve(echoes(), compile_routes=compiled) as client:
        answer = await client.post(route, content='{"text":"a","text":"b"}', headers=JSON)
    assert (answer.status_code, answer.json()["data"]["text"]) == (200, "b")


LONE = [name for name in HOSTILE if "surrogate" in name]


@both_ways
@every_route
@pytest.mark.parametrize("name", LONE)
async def test_half_of_a_pair_is_refused(serve: Any, compiled: bool, route: str, name: str) -> None:
    async with serve(echoes(), compile_routes=compiled) as client:
        answer = await client.post(route, content=HOSTILE[name], headers=JSON)
    assert (answer.status_code, answer.json()["code"]) in ((400, 40001), (400, 40002))


@both_ways
@every_route
@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"\ud83d\ude00", "😀"),
        (r"\uD83D\uDE00!", "😀!"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud83d\ude00\n\"\u0041", '\\😀\n"A'),
    ],
)
async def test_whole_pairs_are_taken(serve: Any, compiled: bool, route: str, escaped: str, text: str) -> None:
    async with serve(echoes(), compile_routes=compiled) as client:
        answer = await client.post(route, content=f'{{"text":"{escaped}"}}', headers=JSON)
    assert (answer.status_code, answer.json()["data"]["text"]) == (200, text)


@both_ways
@every_route
@pytest.mark.parametrize("name", ["NaN", "infinity", "NaN in anything"])
async def test_what_is_no_number_is_no_json(serve: Any, compiled: bool, route: str, name: str) -> None:
    async with serve(echoes(), compile_routes=compiled) as client:
        answer = await client.post(route, content=HOSTILE[name], headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (400, 40001)
        named = await client.post(route, content='{"text":"NaN, -Infinity"}', headers=JSON)
        assert (named.status_code, named.json()["data"]["text"]) == (200, "NaN, -Infinity")


@both_ways
@pytest.mark.parametrize("route", ["/model", "/exact", "/struct"])
@pytest.mark.parametrize("number", ["1e999", "-1e999"])
async def test_a_number_too_large_names_its_field(
    serve: Any, compiled: bool, route: str, number: str
) -> None:
    async with serve(echoes(), compile_routes=compiled) as client:
        answer = await client.post(route, content=f'{{"ratio":{number}}}', headers=JSON)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, ["ratio"])


@both_ways
@every_route
async def test_a_hundred_thousand_digits_are_no_integer(serve: Any, compiled: bool, route: str) -> None:
    async with serve(echoes(), compile_routes=compiled) as client:
        for name in ("many digits", "many digits in anything"):
            answer = await client.post(route, content=HOSTILE[name], headers=JSON)
            assert answer.status_code in (400, 422)

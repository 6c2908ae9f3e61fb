"""What no honest client sends, in every place of every route where it takes a value: refused or taken, never a fault of ours."""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.security.asgi import ask
from tests.security.calls import Routes
from tests.security.world import Call, World
from xumi.kernel.http.router import Route

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """What a database cannot hold differs from one to the other."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


# First what a database may be unable to hold, then what never should come to one.
STORED_TEXTS = ("\0", "a\0b", "\ufffe\uffff", "\U0010ffff", "x" * 20_000)
TEXTS = (*STORED_TEXTS, "' OR 1=1 --", "%00", "%s{0}${x}", "\r\nX: y", "-1", "")
# JSON texts, because not all of these are values of Python.
STORED_VALUES = (
    '"\\u0000"',
    '"a\\u0000b"',
    '["\\u0000"]',
    '{"\\u0000":"\\u0000"}',
    "9223372036854775808",
    "1" * 400,
)
VALUES = (
    *STORED_VALUES, '"\\ud800"', f'"{"x" * 20_000}"', "-1", "1e999", "0.1", "true", "null", "[]", "{}", "[" * 500 + "]" * 500,
    '[[["a"]]]', '"\' OR 1=1 --"', '""',
)  # fmt: skip


def hostile_calls(routes: Routes, route: Route) -> Iterator[tuple[str, Call, bytes]]:
    """Requests with one value each that is not what was asked for; where it stands, and the body's bytes."""
    few = routes.world.app.resources.database.engine.dialect.name != "sqlite"
    texts, values = (STORED_TEXTS, STORED_VALUES) if few else (TEXTS, VALUES)
    call = routes.build(route, optional=True)
    body = json.dumps(call.body).encode() if call.has_body else call.content
    for place, name in routes.parameters(route):
        if place == "path":
            for text in filter(None, texts):
                yield f"path {name}", routes.build(route, {name: text}), body
    for parameter in routes.operation(route).get("parameters", ()):
        if parameter["in"] == "query":
            for text in texts:
                query = call.query | {parameter["name"]: text}
                yield f"query {parameter['name']}", replace(call, query=query), body
    if not call.has_body:
        return
    for value in values:
        yield "body", call, value.encode()
    # One field at a time beside those that must be there, so that none hides what is wrong with another.
    least = routes.build(route).body
    for path in filter(None, ways(call.body)):
        beside = least | {path[0]: call.body[path[0]]} if isinstance(least, dict) else call.body
        for value in values:
            text = json.dumps(put(beside, path, "<here>")).replace('"<here>"', value)
            yield f"body {path}", call, text.encode()


def ways(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every part of a value, itself included."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from ways(part, (*path, key))


def put(value: Any, path: tuple[str | int, ...], part: Any) -> Any:
    """A copy of the value with another part at the end of a path."""
    if not path:
        return part
    value = copy.copy(value)
    value[path[0]] = put(value[path[0]], path[1:], part)
    return value


def names_a_field(answer: bytes) -> bool:
    """Whether a refusal of values says which, or has a number of its own that says what is wrong."""
    refusal = json.loads(answer)
    named = [error["field"] for error in refusal.get("errors", ())]
    return refusal["code"] != 42200 or (named != [] and all(named))


async def test_no_value_is_a_fault_of_the_server(world: World, routes: Routes) -> None:
    statuses: Counter[int] = Counter()
    wrong = []
    admin = world.people["admin"].access_token
    for route in routes.all:
        for where, call, body in hostile_calls(routes, route):
            headers = {"Authorization": f"Bearer {admin}", **call.headers}
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))} if body else {}
            status, answer = await ask(
                world.app,
                call.method,
                call.path,
                [(name.lower().encode(), value.encode()) for name, value in headers.items()],
                body,
                urlencode(call.query, quote_via=quote).encode(),
            )
            statuses[status] += 1
            if status >= 500 or (status == 422 and not names_a_field(answer)):
                wrong.append(
                    f"{route.label} {where} {body[:60]!r} {call.path[:60]!r}: {status} {answer[:300]!r}"
                )
            if status < 400 and call.method != "GET":
                world.reset()
    assert not wrong, "\n".join(wrong)
    print(dict(statuses))
    assert statuses[422] > 300, statuses

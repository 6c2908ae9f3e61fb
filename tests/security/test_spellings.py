"""Other methods and other spellings of a path: none goes around a route's permission."""

from collections.abc import Iterator

import pytest

from tests.security.asgi import Headers, ask
from tests.security.calls import Routes
from tests.security.world import Call, World

pytestmark = pytest.mark.anyio

OVERRIDES: Headers = [
    (b"x-http-method-override", b"GET"),
    (b"x-method-override", b"GET"),
    (b"x-original-url", b"/health"),
    (b"x-rewrite-url", b"/health"),
    (b"x-forwarded-prefix", b"/health"),
    (b"x-forwarded-for", b"127.0.0.1"),
    (b"forwarded", b"for=127.0.0.1"),
    (b"x-real-ip", b"127.0.0.1"),
]


def spellings(path: str) -> Iterator[str]:
    """Paths that a lax reader takes for this one."""
    first, *rest = path[1:].split("/")
    yield from (
        path + end for end in ("/", "//", "/.", "/./", "/..;/", ";a=b", "%2f", "%20", ".json", "?", "#", "\0")
    )
    yield from (path.upper(), path.title(), "/" + path, "/." + path, "/health/.." + path, "/health;" + path)
    yield "//".join(["/" + first, *rest])
    yield path.replace("/", "%2f")
    yield path.replace("/", "\\")


async def status_of(
    world: World, call: Call, path: str, who: str, method: str | None = None, more: Headers | None = None
) -> int:
    person = world.people.get(who)
    headers = [(b"authorization", b"Bearer " + person.access_token.encode())] if person else []
    # The query and the body are left out: who may not call is told so before they are read.
    status, _ = await ask(world.app, call.method if method is None else method, path, headers + (more or []))
    return status


async def test_no_spelling_of_a_path_goes_around_the_permission(world: World, routes: Routes) -> None:
    wrong = []
    for route in routes.all:
        if route.policy.public:
            continue
        call = routes.build(route)
        refused = [
            who
            for who in ("anonymous", "user", "clerk")
            if await status_of(world, call, call.path, who) in (401, 403)
        ]
        assert "anonymous" in refused, route.label
        for who in refused:
            for path in spellings(call.path):
                status = await status_of(world, call, path, who)
                if status not in (401, 403, 404, 405):
                    wrong.append(f"{who}: {call.method} {path}: {status}")
            status = await status_of(world, call, call.path, who, more=OVERRIDES)
            if status not in (401, 403):
                wrong.append(f"{who}: {route.label} with headers of proxies: {status}")
        world.reset()
    assert wrong == []


async def test_no_other_method_goes_around_the_permission(world: World, routes: Routes) -> None:
    """HEAD asks what GET asks; no other method is answered that is not declared."""
    wrong = []
    for route in routes.all:
        if route.policy.public:
            continue
        call = routes.build(route)
        declared = {
            method for other in routes.all if other.path == route.path for method in other.methods or ()
        }
        for method in ("HEAD", "TRACE", "CONNECT", "PROPFIND", "get", "Get", "GET ", "POST\0", ""):
            status = await status_of(world, call, call.path, "anonymous", method)
            expected = 401 if method == "HEAD" and "GET" in declared else 405
            if status != expected:
                wrong.append(f"{method!r} {call.path}: {status}, not {expected}")
    assert wrong == []

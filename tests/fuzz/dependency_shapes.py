"""Endpoints with dependencies: plain, nested, shared, yielding, failing, secured."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Annotated, Any

from fastapi import Body, Cookie, Depends, Header, HTTPException, Query, Request, Response, Security
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
    OAuth2PasswordBearer,
    SecurityScopes,
)
from sqlalchemy import text as sql
from starlette.background import BackgroundTasks
from starlette.requests import HTTPConnection

from tests.fuzz.body_shapes import Part
from tests.fuzz.declaration import Shapes
from tests.fuzz.parameter_shapes import Bug, Ignoring
from tests.fuzz.recording import mark, seen
from xumi.kernel.db.session import Session
from xumi.kernel.errors import APICode, APIException

FAILURES = ["no", "http", "api", "bug"]


def fail(how: str) -> None:
    """Raise what `how` names."""
    if how == "http":
        raise HTTPException(409, "refused", headers={"X-Why": "http"})
    if how == "api":
        raise APIException(APICode.CONFLICT, headers={"X-Why": "api"})
    if how == "bug":
        raise LookupError("a bug")


async def number(n: int = 0) -> int:
    """Takes a parameter of its own."""
    seen(locals())
    return n


def text(q: Annotated[str, Query(max_length=3)] = "") -> str:
    """Runs in a thread."""
    seen(locals())
    return q


async def both(n: Annotated[int, Depends(number)], q: Annotated[str, Depends(text)]) -> tuple[int, str]:
    """Has dependencies of its own."""
    seen(locals())
    return n, q


async def again(n: Annotated[int, Depends(number, use_cache=False)]) -> int:
    """Wants a number of its own."""
    seen(locals())
    return n


async def through(m: Annotated[int, Depends(again)]) -> int:
    """Shares `again`, whose number is not shared."""
    seen(locals())
    return m


class Paging:
    """A class is a dependency too."""

    def __init__(self, page: int = 1, size: Annotated[int, Query(le=10)] = 5) -> None:
        seen({"page": page, "size": size})
        self.page, self.size = page, size

    def __repr__(self) -> str:
        return f"{self.page}/{self.size}"


class Calling:
    """So is an object that can be called."""

    async def __call__(self, request: Request, x_who: Annotated[str, Header()] = "") -> str:
        seen(locals())
        return x_who


async def prefixed(prefix: str, n: int = 0) -> str:
    """Takes one argument beforehand."""
    seen({"prefix": prefix, "n": n})
    return f"{prefix}{n}"


async def decorate(response: Response, tint: str = "", status: int = 0) -> None:
    """Writes on the response."""
    seen({"tint": tint, "status": status})
    if tint:
        response.headers["X-Tint"] = tint.encode("ascii", "replace").decode().replace("\n", " ")
        response.set_cookie("tint", "1")
    if status in (201, 202, 204, 304, 404, 500):
        response.status_code = status


async def resource(before: str = "no", after: str = "no") -> AsyncIterator[str]:
    """Lives until the response is sent."""
    seen({"before": before, "after": after})
    fail(before)
    try:
        yield "resource"
    except Exception as error:
        mark(f"resource failed {type(error).__name__}")
        raise
    finally:
        mark("resource closed")
    fail(after)


async def short(late: str = "no") -> AsyncIterator[str]:
    """Lives until the handler has returned."""
    seen({"late": late})
    yield "short"
    mark("short closed")
    fail(late)


async def nested(inner: Annotated[str, Depends(resource)]) -> AsyncIterator[str]:
    """Is closed before what it stands on."""
    seen({"inner": inner})
    yield "nested"
    mark("nested closed")


async def turning(turn: str = "no") -> AsyncIterator[None]:
    """Makes one error of another."""
    seen({"turn": turn})
    try:
        yield
    except LookupError:
        mark("turned")
        raise HTTPException(418, "turned") from None


async def swallowing() -> AsyncIterator[None]:
    """Hides errors, which it must not."""
    seen({})
    try:
        yield
    except LookupError:
        mark("swallowed")


def in_thread(n: int = 0) -> Iterator[int]:
    """Yields in a thread."""
    seen({"n": n})
    yield n
    mark("thread closed")


async def scoped(scopes: SecurityScopes, x_who: Annotated[str, Header()] = "") -> list[str]:
    """Sees the scopes that are asked for, and spoils its copy."""
    seen({"scopes": scopes, "x_who": x_who})
    found = list(scopes.scopes)
    scopes.scopes.append("spoiled")
    return found


async def inner_scoped(found: Annotated[list[str], Security(scoped, scopes=["inner"])]) -> list[str]:
    """Asks for one more."""
    seen({"found": found})
    return found


async def with_body(part: Part) -> Part:
    """Takes the body."""
    seen({"part": part})
    return part


async def queued(tasks: BackgroundTasks, n: int = 0) -> None:
    """Leaves something to do."""
    seen({"n": n, "tasks": tasks})
    tasks.add_task(mark, f"task of a dependency {n}")


def dependency_shapes(shapes: Shapes) -> None:
    """Declare them."""
    _plain(shapes)
    _shared(shapes)
    _yielding(shapes)
    _ending(shapes)
    _secured(shapes)
    _with_bodies(shapes)


def _plain(shapes: Shapes) -> None:
    @shapes.get(
        "/depends", query={"n": ["1"], "q": ["ab"], "page": ["2"], "size": ["3"]}, headers={"x-who": ["me"]}
    )
    async def depends(
        pair: Annotated[tuple[int, str], Depends(both)],
        paging: Annotated[Paging, Depends()],
        who: Annotated[str, Depends(Calling())],
        name: Annotated[str, Depends(partial(prefixed, "p"))],
    ) -> Any:
        return seen(locals())

    @shapes.get(
        "/depends-quietly",
        query={"n": ["1"], "q": ["ab"]},
        dependencies=[Depends(number), Depends(text), Depends(number)],
    )
    def depends_quietly() -> Any:
        return seen(locals())

    @shapes.get("/depends-models", query={"page": ["1"], "tags": ["a"], "n": ["1"]}, cookies={"c": ["1"]})
    async def depends_models(
        filters: Annotated[Ignoring, Query()],
        n: Annotated[int, Depends(number)],
        c: Annotated[int | None, Cookie()] = None,
    ) -> Any:
        return seen(locals())

    @shapes.get(
        "/decorated", query={"tint": ["red"], "status": ["201", "204", "304", "404"]}, status_code=202
    )
    async def decorated(nothing: Annotated[None, Depends(decorate)], response: Response) -> Any:
        response.headers.append("X-Late", "yes")
        return seen(locals())

    @shapes.get("/decorated-quietly", query={"tint": ["red"]}, dependencies=[Depends(decorate)])
    async def decorated_quietly() -> Any:
        return seen(locals())

    @shapes.get("/connection", query={"n": ["1"]}, dependencies=[Depends(queued)])
    async def connection(at: HTTPConnection, request: Request, tasks: BackgroundTasks) -> Any:
        tasks.add_task(mark, "task of the handler")
        return [seen(locals()), at is request]

    @shapes.get("/one-at-a-time", query={"n": ["1"]})
    async def one_at_a_time(n: Annotated[int, Depends(number, max_concurrency=1)]) -> Any:
        return seen(locals())

    @shapes.get("/session", query={"n": ["1", "13"]})
    async def session(session: Session, n: int = 0) -> Any:
        value = await session.scalar(sql("SELECT 1 WHERE :n != 13"), {"n": n % 100})
        return [value, seen({"n": n})]

    @shapes.get("/failing", query={"n": ["1"], "how": FAILURES})
    async def failing(n: Annotated[int, Depends(number)], how: str = "no") -> Any:
        arguments = seen(locals())
        fail(how)
        return arguments


def _shared(shapes: Shapes) -> None:
    @shapes.get("/shared", query={"n": ["1"], "q": ["ab"]}, dependencies=[Depends(number)])
    async def shared(
        pair: Annotated[tuple[int, str], Depends(both)],
        n: Annotated[int, Depends(number)],
        fresh: Annotated[int, Depends(number, use_cache=False)],
        last: Annotated[int, Depends(number)],
    ) -> Any:
        return seen(locals())

    @shapes.get("/fresh-first", query={"n": ["1"]})
    async def fresh_first(
        fresh: Annotated[int, Depends(number, use_cache=False)], n: Annotated[int, Depends(number)]
    ) -> Any:
        return seen(locals())

    @shapes.get("/shared-parent", query={"n": ["1"]})
    async def shared_parent(
        m: Annotated[int, Depends(again)], other: Annotated[int, Depends(through)]
    ) -> Any:
        return seen(locals())


def _yielding(shapes: Shapes) -> None:
    ends = {"before": FAILURES, "after": FAILURES, "late": FAILURES, "how": FAILURES}

    @shapes.get("/yield", query=ends)
    async def yields(
        res: Annotated[str, Depends(resource)],
        brief: Annotated[str, Depends(short, scope="function")],
        tasks: BackgroundTasks,
        how: str = "no",
    ) -> Any:
        tasks.add_task(mark, "task")
        arguments = seen(locals())
        fail(how)
        return arguments

    @shapes.get("/yield-nested", query=ends)
    def yields_nested(
        deep: Annotated[str, Depends(nested)], res: Annotated[str, Depends(resource)], how: str = "no"
    ) -> Any:
        arguments = seen(locals())
        fail(how)
        return arguments

    @shapes.get("/yield-twice", query=ends)
    async def yields_twice(
        first: Annotated[str, Depends(short, scope="function")],
        second: Annotated[str, Depends(short, scope="request")],
        third: Annotated[str, Depends(short, use_cache=False)],
        how: str = "no",
    ) -> Any:
        arguments = seen(locals())
        fail(how)
        return Response(repr(arguments)) if how == "api" else arguments


def _ending(shapes: Shapes) -> None:
    @shapes.get("/turning", query={"turn": ["a"], "how": FAILURES})
    async def turned(nothing: Annotated[None, Depends(turning)], how: str = "no") -> Any:
        arguments = seen(locals())
        fail(how)
        return arguments

    @shapes.get("/swallowing", query={"how": FAILURES})
    async def swallowed(nothing: Annotated[None, Depends(swallowing)], how: str = "no") -> Any:
        arguments = seen(locals())
        fail(how)
        return arguments

    @shapes.get("/swallowing-early", query={"how": FAILURES})
    async def swallowed_early(
        nothing: Annotated[None, Depends(swallowing, scope="function")], how: str = "no"
    ) -> Any:
        arguments = seen(locals())
        fail(how)
        return arguments

    @shapes.get("/endless", query={"how": ["no"]}, deadline_seconds=0.2)
    async def endless(
        deep: Annotated[str, Depends(nested)],
        brief: Annotated[str, Depends(short, scope="function")],
        how: str = "no",
    ) -> Any:
        seen(locals())
        if how == "wait":
            await asyncio.Event().wait()

    @shapes.get("/yield-in-thread", query={"n": ["1"]})
    async def yields_in_thread(n: Annotated[int, Depends(in_thread)]) -> Any:
        return seen(locals())


def _secured(shapes: Shapes) -> None:
    basic = ["Basic dXNlcjpwYXNz", "Bearer abc", "basic !!!", "Basic w6k6w6k=", "Bearer"]

    @shapes.get("/oauth", headers={"authorization": ["Bearer abc", *basic]})
    async def oauth(token: Annotated[str, Depends(OAuth2PasswordBearer("/token"))]) -> Any:
        return seen(locals())

    @shapes.get("/keys", headers={"x-key": ["k"]}, query={"key": ["k"]}, cookies={"key": ["k"]})
    async def keys(
        header: Annotated[str, Security(APIKeyHeader(name="X-Key"))],
        query: Annotated[str | None, Security(APIKeyQuery(name="key", auto_error=False))],
        cookie: Annotated[str | None, Security(APIKeyCookie(name="key", auto_error=False))],
    ) -> Any:
        return seen(locals())

    @shapes.get("/basic", headers={"authorization": basic})
    async def basic_auth(
        who: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())],
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    ) -> Any:
        return seen(locals())

    @shapes.get(
        "/scopes", headers={"x-who": ["me"]}, dependencies=[Security(scoped, scopes=["route", "inner"])]
    )
    async def scopes(
        a: Annotated[list[str], Security(scoped, scopes=["a"])],
        b: Annotated[list[str], Security(inner_scoped, scopes=["b", "a"])],
        c: Annotated[list[str], Security(scoped, scopes=["a"])],
        d: Annotated[list[str], Depends(inner_scoped)],
    ) -> Any:
        return seen(locals())


def _with_bodies(shapes: Shapes) -> None:
    @shapes.get(
        "/guarded-bug", query={"s": ["a", "boom"], "n": ["1"]}, headers={"authorization": ["Bearer abc"]}
    )
    async def guarded_bug(
        n: Annotated[int, Depends(number)],
        token: Annotated[str, Depends(OAuth2PasswordBearer("/token"))],
        s: Bug,
    ) -> Any:
        return seen(locals())

    @shapes.post("/body-of-dependency", bodies=[{"name": "a"}])
    async def body_of_dependency(part: Annotated[Part, Depends(with_body)]) -> Any:
        return seen(locals())

    @shapes.post("/body-of-both", bodies=[{"name": "a"}], query={"n": ["1"]})
    async def body_of_both(part: Part, same: Annotated[Part, Depends(with_body)], n: int = 0) -> Any:
        return seen(locals())

    @shapes.post(
        "/guarded",
        bodies=[{"name": "a"}],
        query={"n": ["1"], "before": FAILURES},
        headers={"authorization": ["Bearer abc"]},
    )
    async def guarded(
        token: Annotated[str, Depends(OAuth2PasswordBearer("/token"))],
        part: Annotated[Part, Body()],
        res: Annotated[str, Depends(resource)],
        n: Annotated[int, Depends(number)],
    ) -> Any:
        return seen(locals())

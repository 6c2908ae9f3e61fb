"""Every failure there is has the documented shape, the true status, and the request's id."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import HTTPException, Query
from pydantic import BaseModel, Field
from sqlalchemy import text

from xumi.kernel.context import current
from xumi.kernel.db.session import Session
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.http.router import Router
from xumi.kernel.log import capture

pytestmark = pytest.mark.anyio
Serve = Any
SECRET = "the-bug-shows-this"


class Thing(BaseModel):
    """What the echo route takes."""

    name: str = Field(max_length=5)
    parts: list[int] = []


def failing_routes() -> Router:
    """One route for each way to fail."""
    router = Router()

    @router.post("/echo", public=True)
    async def echo(thing: Thing) -> Thing:
        return thing

    @router.get("/page", public=True)
    async def get_page(size: Annotated[int, Query(ge=1, le=9)]) -> int:
        return size

    @router.get("/things/{name}", public=True)
    async def find_thing(name: str, part: str = "") -> str:
        return name + part

    @router.get("/secret", permission="secret:read")
    async def get_secret() -> str:
        return "secret"

    @router.get("/conflict", public=True)
    async def conflict() -> None:
        raise APIException(APICode.CONFLICT, errors=[FieldError("name", "is taken")])

    @router.post("/twice", public=True)
    async def insert_twice(session: Session) -> None:
        await session.execute(text("CREATE TABLE IF NOT EXISTS once (name TEXT UNIQUE)"))
        await session.execute(text("INSERT INTO once VALUES ('x'), ('x')"))

    @router.get("/bug", public=True)
    async def bug() -> None:
        raise ZeroDivisionError(SECRET)

    @router.get("/teapot", public=True)
    async def teapot() -> None:
        raise HTTPException(418, "short and stout")

    @router.get("/slow", public=True, deadline_seconds=0.05)
    async def slow() -> None:
        await asyncio.sleep(30)

    @router.get("/once", public=True, rate_limit="1/hour")
    async def once() -> str:
        return "ok"

    @router.get("/away", public=True)
    async def away() -> None:
        raise sqlite3.OperationalError("database is locked")

    return router


CASES: list[tuple[str, str, dict[str, Any], int, list[str]]] = [
    ("POST", "/echo", {"content": b'{"name": ', "headers": {"Content-Type": "application/json"}}, 40001, []),
    (
        "POST",
        "/echo",
        {"content": b'{"name": "\xff"}', "headers": {"Content-Type": "application/json"}},
        40002,
        [],
    ),
    (
        "POST",
        "/echo",
        {"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}},
        40001,
        [],
    ),
    ("POST", "/echo", {"json": {"name": "too long", "parts": [1, "x"]}}, 42200, ["name", "parts.1"]),
    ("POST", "/echo", {"json": {}}, 42200, ["name"]),
    ("POST", "/echo", {"data": {"name": "x"}}, 41500, []),
    ("POST", "/echo", {"json": {"name": "x" * 2_000_000}}, 41300, []),
    ("GET", "/page?size=10", {}, 42200, ["size"]),
    ("GET", "/page?size=%ff", {}, 42200, ["size"]),
    ("GET", "/nowhere", {}, 40401, []),
    ("GET", "/nowhere%0d%0aX: y", {}, 40401, []),
    ("DELETE", "/echo", {}, 40500, []),
    ("BREW", "/echo", {}, 40500, []),
    ("GET", "/secret", {}, 40100, []),
    ("GET", "/secret", {"headers": {"Authorization": "Digest x"}}, 40100, []),
    ("GET", "/secret", {"headers": {"Authorization": "Bearer nonsense"}}, 40101, []),
    ("GET", "/secret", {"headers": {"Authorization": "Basic ???"}}, 40101, []),
    ("GET", "/secret", {"headers": {"Authorization": "Basic bm9uc2Vuc2U6"}}, 40101, []),
    ("GET", "/conflict", {}, 40900, ["name"]),
    ("POST", "/twice", {}, 40901, ["name"]),
    ("GET", "/bug", {}, 50000, []),
    ("GET", "/teapot", {}, 41800, []),
    ("GET", "/slow", {}, 50400, []),
    ("GET", "/away", {}, 50301, []),
]


def check_shape(response: httpx.Response, method: str, path: str, code: int, fields: list[str]) -> None:
    """The documented error body and headers."""
    body = response.json()
    assert body["code"] == code, body
    assert response.status_code == code // 100
    assert set(body) - {"errors"} == {"status", "code", "message", "request_id", "request", "data"}
    assert (body["status"], body["data"]) == ("error", None)
    assert body["message"]
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert body["request"] == f"{method} {path}"
    assert [error["field"] for error in body.get("errors", [])] == fields
    assert all(error["reason"] for error in body.get("errors", []))
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Response-Time"].endswith("ms")
    if code // 100 == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    if code // 100 in (429, 503):
        assert int(response.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(("method", "path", "options", "code", "fields"), CASES)
async def test_each_failure_has_the_documented_shape(
    serve: Serve, method: str, path: str, options: dict[str, Any], code: int, fields: list[str]
) -> None:
    async with serve(failing_routes()) as client:
        response = await client.request(method, path, **options)
        check_shape(response, method, httpx.URL(f"http://test{path}").path, code, fields)
        problem = await client.request(
            method,
            path,
            **{**options, "headers": {**options.get("headers", {}), "Accept": "application/problem+json"}},
        )
        assert problem.headers["Content-Type"] == "application/problem+json"
        assert problem.json()["status"] == problem.status_code == code // 100
        assert problem.json()["code"] == code
        assert [error["field"] for error in problem.json().get("errors", [])] == fields


async def test_the_character_nul_is_refused_in_parameters_and_they_are_named(serve: Serve) -> None:
    async with serve(failing_routes()) as client:
        for url, fields in {
            "/things/a%00b": ["name"],
            "/things/a?part=%00": ["part"],
            "/things/a%00?part=b%00&part=c%00&other=d%00": ["name", "part", "other"],
            "/things/a?x%00=1": ["x\0"],
        }.items():
            answer = await client.get(url)
            assert (answer.status_code, answer.json()["code"]) == (422, 42200)
            assert [error["field"] for error in answer.json()["errors"]] == fields
        # Only the letters of one that is written out.
        assert (await client.get("/things/a?part=%2500")).json()["data"] == "a%00"


async def test_a_method_that_is_not_taken_is_told_those_that_are(serve: Serve) -> None:
    async with serve(failing_routes()) as client:
        assert (await client.delete("/page")).headers["Allow"] == "GET, HEAD, OPTIONS"
        options = await client.options("/page")
        assert (options.status_code, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
        assert (await client.head("/page?size=1")).status_code == 200


async def test_too_many_requests(serve: Serve) -> None:
    async with serve(failing_routes()) as client:
        assert (await client.get("/once")).status_code == 200
        response = await client.get("/once")
        check_shape(response, "GET", "/once", 42900, [])
        assert response.headers["RateLimit-Limit"] == "1"
        assert response.headers["RateLimit-Remaining"] == "0"
        assert (await client.get("/page?size=1")).status_code == 200


async def test_too_many_at_once(serve: Serve) -> None:
    router = failing_routes()
    release, both = asyncio.Event(), asyncio.Barrier(3)

    @router.get("/wait", public=True)
    async def wait() -> None:
        await both.wait()
        await release.wait()

    async with serve(router, max_concurrent_requests=2) as client:
        waiting = [asyncio.create_task(client.get("/wait")) for _ in range(2)]
        await both.wait()
        check_shape(await client.get("/page?size=1"), "GET", "/page", 50303, [])
        release.set()
        assert [response.status_code for response in await asyncio.gather(*waiting)] == [200, 200]
        assert (await client.get("/page?size=1")).status_code == 200


async def test_a_body_without_a_declared_length_is_limited_while_it_arrives(serve: Serve) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b'{"name": "' + b"x" * 100_000

    async with serve(failing_routes()) as client:
        response = await client.post("/echo", content=endless(), headers={"Content-Type": "application/json"})
        check_shape(response, "POST", "/echo", 41300, [])
        assert sent < 20


async def test_texts_speak_the_callers_language(serve: Serve) -> None:
    async with serve(failing_routes()) as client:
        chinese = (await client.get("/nowhere", headers={"Accept-Language": "zh-CN,zh;q=0.9"})).json()
        english = (await client.get("/nowhere", headers={"Accept-Language": "en"})).json()
        assert (chinese["message"], english["message"]) == (
            APICode.ROUTE_NOT_FOUND.zh,
            APICode.ROUTE_NOT_FOUND.en,
        )
        assert chinese["code"] == english["code"]


@pytest.mark.parametrize("debug", [False, True])
async def test_a_bug_is_logged_once_and_shows_its_internals_only_in_debug_mode(
    serve: Serve, debug: bool
) -> None:
    async with serve(failing_routes(), debug=debug) as client:
        with capture() as lines:
            response = await client.get("/bug")
    assert (SECRET in response.text) is debug
    traces = [line for line in lines if "ZeroDivisionError" in json.dumps(line)]
    assert len(traces) == 1
    assert traces[0]["request_id"] == response.headers["X-Request-ID"]


async def test_a_failed_request_leaves_nothing_behind(serve: Serve) -> None:
    router = failing_routes()

    @router.post("/write/{status}", public=True)
    async def write(status: int, session: Session) -> int:
        await session.execute(text("CREATE TABLE IF NOT EXISTS kept (status INTEGER)"))
        await session.execute(text("INSERT INTO kept VALUES (:status)"), {"status": status})
        if status >= 400:
            raise HTTPException(status)
        return status

    @router.get("/kept", public=True)
    async def get_kept() -> list[int]:
        async with current().resources.database.sessions() as session:
            return list((await session.scalars(text("SELECT status FROM kept"))).all())

    async with serve(router) as client:
        for status in (200, 404, 500):
            assert (await client.post(f"/write/{status}")).status_code == status
        assert (await client.get("/kept")).json()["data"] == [200]


@pytest.mark.parametrize("tries", [200])
async def test_a_failed_commit_is_never_a_success(
    serve: Serve, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database refuses at COMMIT: a deferred foreign key does so for real."""
    router = Router()

    @router.post("/orphan", public=True, status_code=201)
    async def add_orphan(session: Session) -> str:
        await session.execute(text("INSERT INTO child VALUES (404)"))
        return "created"

    async with serve(router, rate_limit_enabled=False) as client:
        async with client.app.resources.database.sessions() as session:
            await session.execute(text("CREATE TABLE parent (id INTEGER PRIMARY KEY)"))
            await session.execute(
                text("CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
            )
            await session.commit()
        for _ in range(tries):
            response = await client.post("/orphan")
            check_shape(response, "POST", "/orphan", 40902, [])
        async with client.app.resources.database.sessions() as session:
            assert (await session.scalar(text("SELECT count(*) FROM child"))) == 0

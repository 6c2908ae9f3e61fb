"""What every request gets: id, headers, access line, metrics, CORS, commit before the first byte."""

import asyncio
import json
from typing import Any

import pytest
from fastapi import BackgroundTasks, Response
from sqlalchemy import text
from starlette.responses import StreamingResponse

from xumi.kernel.context import current
from xumi.kernel.db.session import Session
from xumi.kernel.http.envelope import Envelope, Failure
from xumi.kernel.http.router import Router
from xumi.kernel.log import capture

pytestmark = pytest.mark.anyio
Serve = Any


def routes() -> Router:
    """A few plain routes."""
    router = Router()

    @router.get("/hello/{name}", public=True)
    async def hello(name: str) -> str:
        return f"hello {name}"

    @router.post("/thing", public=True, status_code=201)
    async def add_thing(response: Response) -> str:
        response.headers["Location"] = "/thing/1"
        return "1"

    @router.delete("/thing", public=True, status_code=204)
    def delete_thing() -> None:
        """Runs in a thread, as a plain `def` does."""

    @router.get("/ip", public=True)
    async def get_ip() -> str:
        return current().ip

    return router


async def test_success_has_the_documented_shape(serve: Serve) -> None:
    async with serve(routes()) as client:
        assert (await client.get("/hello/you")).json() == {
            "code": 200,
            "message": "success",
            "data": "hello you",
        }
        created = await client.post("/thing")
        assert (created.status_code, created.json()["code"], created.json()["data"]) == (201, 201, "1")
        assert created.headers["Location"] == "/thing/1"
        deleted = await client.delete("/thing")
        assert (deleted.status_code, deleted.content) == (204, b"")


async def test_headers_of_a_handlers_own_replace_two_of_ours_and_take_no_other_away(serve: Serve) -> None:
    router = Router()

    @router.get("/kept", public=True)
    async def get_kept(response: Response) -> str:
        response.headers["Cache-Control"] = "max-age=60"
        response.headers["Vary"] = "Accept"
        return "x"

    async with serve(router, cors_origins=["https://shop.example"]) as client:
        headers = (await client.get("/kept")).headers
    assert headers.get_list("Cache-Control") == ["max-age=60"]
    # A shared cache must not give one origin's answer to another.
    assert headers.get_list("Vary") == ["Accept", "Origin"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("sent", ["abc-1.2_3", "x" * 64])
async def test_a_request_id_that_is_safe_is_kept(serve: Serve, sent: str) -> None:
    async with serve(routes()) as client:
        response = await client.get("/hello/you", headers={"X-Request-ID": sent})
        assert response.headers["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a\tb", "<script>", "é", "a;b"])
async def test_a_request_id_that_is_not_is_replaced(serve: Serve, sent: str) -> None:
    async with serve(routes()) as client:
        response = await client.get("/hello/you", headers={"X-Request-ID": sent.encode()})
        assert len(response.headers["X-Request-ID"]) == 32
        assert response.headers["X-Request-ID"].isalnum()


async def test_every_response_carries_the_security_headers(serve: Serve) -> None:
    async with serve(routes()) as client:
        for path in ("/hello/you", "/nowhere"):
            headers = (await client.get(path)).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert float(headers["X-Response-Time"].removesuffix("ms")) > 0
            assert "Strict-Transport-Security" not in headers


async def test_one_access_line_a_request(serve: Serve) -> None:
    async with serve(routes()) as client:
        with capture() as lines:
            response = await client.get(
                "/hello/you?token=tell-nobody",
                headers={"Authorization": "Bearer tell-nobody", "Cookie": "a=tell-nobody"},
            )
    (line,) = lines
    assert "tell-nobody" not in json.dumps(line)
    assert {key: line[key] for key in ("method", "path", "route", "status", "ip", "level", "user_id")} == {
        "method": "GET",
        "path": "/hello/you",
        "route": "/hello/{name}",
        "status": 200,
        "ip": "127.0.0.1",
        "level": "info",
        "user_id": None,
    }
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert line["duration_ms"] > 0
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "hostile", ["a%0d%0aevil: 1", "a%1b[31mred", "a%e2%80%a8b", "a%00b", "a%22,%22level%22:%22x"]
)
async def test_a_hostile_path_stays_on_its_line(serve: Serve, hostile: str, capfdbinary: Any) -> None:
    async with serve(routes()) as client:
        await client.get(f"/hello/{hostile}")
        # Access lines are written at the end of the loop's turn.
        await asyncio.sleep(0)
    output = capfdbinary.readouterr().out
    line = output.splitlines()[-1]
    assert json.loads(line)["route"] == "/hello/{name}"
    assert not set(output[:-1]) & set(b"\n\r\x1b\x00") or output.count(b"\n") == len(
        output.decode().splitlines()
    )
    assert "\u2028" not in output.decode()


async def test_forwarded_addresses_count_only_from_trusted_proxies(serve: Serve) -> None:
    forwarded = {"X-Forwarded-For": "6.6.6.6, 198.51.100.9"}
    async with serve(routes(), ip="10.1.1.1") as client:
        assert (await client.get("/ip", headers=forwarded)).json()["data"] == "10.1.1.1"
    async with serve(routes(), ip="10.1.1.1", trusted_proxies=["10.0.0.0/8"]) as client:
        assert (await client.get("/ip", headers=forwarded)).json()["data"] == "198.51.100.9"
    async with serve(routes(), ip="203.0.113.1", trusted_proxies=["10.0.0.0/8"]) as client:
        assert (await client.get("/ip", headers=forwarded)).json()["data"] == "203.0.113.1"


async def test_cors_answers_listed_origins_only(serve: Serve) -> None:
    async with serve(routes(), cors_origins=["https://shop.example"]) as client:
        good = await client.get("/hello/you", headers={"Origin": "https://shop.example"})
        assert good.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "Origin" in good.headers["Vary"]
        bad = await client.get("/hello/you", headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in bad.headers
        ask = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
        preflight = await client.options("/thing", headers=ask)
        assert preflight.status_code == 204
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
        refused = await client.options("/thing", headers={**ask, "Origin": "https://evil.example"})
        assert "Access-Control-Allow-Methods" not in refused.headers
        error = await client.get("/nowhere", headers={"Origin": "https://shop.example"})
        assert error.headers["Access-Control-Allow-Origin"] == "https://shop.example"


async def test_the_transaction_is_committed_before_the_first_byte(serve: Serve) -> None:
    router = routes()
    seen: list[int] = []

    async def count_from_outside() -> int:
        async with current().resources.database.sessions() as session:
            return int(await session.scalar(text("SELECT count(*) FROM t")) or 0)

    @router.post("/stream", public=True)
    async def stream(session: Session) -> StreamingResponse:
        await session.execute(text("INSERT INTO t VALUES (1)"))

        async def body() -> Any:
            seen.append(await count_from_outside())
            yield b"x"

        return StreamingResponse(body())

    @router.post("/task", public=True)
    async def task(session: Session, tasks: BackgroundTasks) -> str:
        await session.execute(text("INSERT INTO t VALUES (2)"))

        async def after() -> None:
            seen.append(await count_from_outside())

        tasks.add_task(after)
        return "ok"

    async with serve(router) as client:
        async with client.app.resources.database.sessions() as session:
            await session.execute(text("CREATE TABLE t (n INTEGER)"))
            await session.commit()
        assert (await client.post("/stream")).status_code == 200
        assert (await client.post("/task")).status_code == 200
    assert seen == [1, 2]


async def test_a_stream_may_take_longer_than_the_deadline_of_its_first_byte(serve: Serve) -> None:
    router = Router()

    @router.get("/long", public=True, deadline_seconds=0.1)
    async def long() -> StreamingResponse:
        async def body() -> Any:
            for _ in range(4):
                yield b"x"
                await asyncio.sleep(0.05)

        return StreamingResponse(body())

    async with serve(router) as client:
        assert (await client.get("/long")).content == b"xxxx"


class S3Envelope(Envelope):
    """The shape of row 229 and 230."""

    def success(self, status: int, data: object) -> tuple[int, object]:
        return status, {"code": status, "data": data, "message": "ok"}

    def failure(self, failure: Failure) -> tuple[int, object]:
        request = f"{failure.method} {failure.path}"
        return failure.status, {"error_code": failure.code, "message": failure.message, "request": request}


class S4rEnvelope(Envelope):
    """The shape of rows 322 and 323: created is 1 with 201, deleted is 2 with 202."""

    def success(self, status: int, data: object) -> tuple[int, object]:
        error_code = {201: 1, 204: 2}.get(status, 0)
        return 202 if status == 204 else status, {"error_code": error_code, "msg": "成功", "data": data}

    def failure(self, failure: Failure) -> tuple[int, object]:
        number = {404: 1001, 401: 1005, 422: 1000, 405: 1007}.get(failure.status, 1007)
        url = f"{failure.method} {failure.path}"
        return failure.status, {"error_code": number, "msg": failure.message, "request_url": url}


async def test_one_setting_swaps_the_envelope(serve: Serve) -> None:
    async with serve(routes(), api_envelope=f"{__name__}:S3Envelope") as client:
        assert (await client.get("/hello/you")).json() == {"code": 200, "data": "hello you", "message": "ok"}
        failure = (await client.get("/nowhere?x=1")).json()
        assert failure.keys() == {"error_code", "message", "request"}
        assert failure["request"] == "GET /nowhere"
    async with serve(routes(), api_envelope=f"{__name__}:S4rEnvelope") as client:
        created = await client.post("/thing")
        assert (created.status_code, created.json()) == (201, {"error_code": 1, "msg": "成功", "data": "1"})
        deleted = await client.delete("/thing")
        assert (deleted.status_code, deleted.json()) == (202, {"error_code": 2, "msg": "成功", "data": None})
        missing = await client.get("/nowhere")
        assert (missing.status_code, missing.json()["error_code"]) == (404, 1001)
        assert missing.json()["request_url"] == "GET /nowhere"

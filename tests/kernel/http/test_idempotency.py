"""A request that is sent again with its key: the same answer, and no second effect."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import FileResponse, StreamingResponse
from sqlalchemy import event, func, select

from tests.conftest import make_settings
from tests.kernel.http.things import OPTIONS, Start, count, put, sign_in, things
from xumi.kernel import clock
from xumi.kernel.db.engine import Database
from xumi.kernel.db.session import Session
from xumi.kernel.errors import StartError
from xumi.kernel.http.openapi import build_document
from xumi.kernel.http.router import Router, RouteTable
from xumi.kernel.idempotency import MAX_BODY_BYTES, PRUNE_BATCH, IdempotencyKey, prune
from xumi.kernel.ids import generate_key
from xumi.kernel.resources import Resources

pytestmark = pytest.mark.anyio

# For tests of what each database does in its own way.
ON_ALL = pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)


@ON_ALL
async def test_the_same_request_again_gets_the_same_answer(start: Start) -> None:
    async with start(things()) as client:
        headers = {"Idempotency-Key": "k-1"}
        first = await client.post("/thing", json={"note": "a"}, headers=headers)
        again = await client.post("/thing", json={"note": "a"}, headers=headers)
        assert first.status_code == 201
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert (again.status_code, again.content) == (first.status_code, first.content)
        for name in ("Content-Type", "Content-Length", "Location"):
            assert again.headers[name] == first.headers[name]
        assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
        assert await count(client) == 1
        other = await client.post("/thing", json={"note": "b"}, headers={"Idempotency-Key": "k-2"})
        assert other.json()["data"] != first.json()["data"]
        without = [await client.post("/thing", json={"note": "c"}) for _ in range(2)]
        assert [response.status_code for response in without] == [201, 409]
        assert await count(client) == 3


async def test_routes_on_fastapis_own_path_behave_alike(start: Start) -> None:
    async with start(things(), compile_routes=False) as client:
        headers = {"Idempotency-Key": "k-1"}
        first, again = [await client.post("/thing", json={"note": "a"}, headers=headers) for _ in range(2)]
        assert (
            (first.status_code, first.content) == (again.status_code, again.content) == (201, first.content)
        )
        headers = {"Idempotency-Key": "k-2"}
        first, again = [await client.post("/thing", json={}, headers=headers) for _ in range(2)]
        assert (
            (first.status_code, first.content) == (again.status_code, again.content) == (422, first.content)
        )
        assert again.headers["Idempotency-Replayed"] == "true"


@ON_ALL
async def test_replays_do_not_stand_in_each_others_way(start: Start) -> None:
    async with start(things()) as client:
        headers = {"Idempotency-Key": "k"}
        first = await client.post("/thing", json={"note": "a"}, headers=headers)
        requests = [client.post("/thing", json={"note": "a"}, headers=headers) for _ in range(20)]
        for again in await asyncio.gather(*requests):
            assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")


async def test_a_key_that_is_answered_costs_its_claim_and_one_read(start: Start) -> None:
    async with start(things()) as client:
        headers = {"Idempotency-Key": "k"}
        await client.post("/thing", json={"note": "a"}, headers=headers)
        # The first key of a process begins to look for old ones.
        await asyncio.gather(*client.app.resources._tasks)  # type: ignore[attr-defined]
        database = client.app.resources.database  # type: ignore[attr-defined]
        begun: list[str] = []
        event.listen(
            database.engine.sync_engine, "before_cursor_execute", lambda *call: begun.append(call[2])
        )
        fetch, fetched = database.read.runner.fetch, 0

        async def count_fetch(query: Any) -> Any:
            nonlocal fetched
            fetched += 1
            return await fetch(query)

        database.read.runner.fetch = count_fetch
        again = await client.post("/thing", json={"note": "a"}, headers=headers)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert (fetched, len(begun)) == (1, 1)


async def test_an_answer_without_a_body_is_repeated(start: Start) -> None:
    async with start(things()) as client:
        await client.post("/thing", json={"note": "a"})
        for expected in (None, "true"):
            response = await client.delete("/thing/a", headers={"Idempotency-Key": "k"})
            assert (response.status_code, response.content) == (204, b"")
            assert response.headers.get("Idempotency-Replayed") == expected
            assert "Content-Type" not in response.headers


async def test_another_request_under_the_key_is_refused(start: Start) -> None:
    async with start(things()) as client:
        headers = {"Idempotency-Key": "k"}
        assert (await client.post("/thing", json={"note": "a"}, headers=headers)).status_code == 201
        for query, note in (("", "b"), ("?x=1", "a")):
            response = await client.post(f"/thing{query}", json={"note": note}, headers=headers)
            assert (response.status_code, response.json()["code"]) == (422, 42201)
        assert (await client.delete("/thing/b", headers=headers)).status_code == 204
        response = await client.delete("/thing/a", headers=headers)
        assert (response.status_code, response.json()["code"]) == (422, 42201)
        assert await count(client) == 1


async def test_a_key_belongs_to_its_caller_and_route(start: Start) -> None:
    async with start(things()) as client:
        headers = {"Idempotency-Key": "k"}
        assert (await client.post("/thing", json={"note": "a"}, headers=headers)).status_code == 201
        headers["Authorization"] = f"Bearer {sign_in(client.app, 'another')}"
        other = await client.post("/thing", json={"note": "b"}, headers=headers)
        assert (other.status_code, other.headers.get("Idempotency-Replayed")) == (201, None)


@pytest.mark.parametrize(
    "key", [b"", b"x" * 256, b"a b", b"caf\xc3\xa9", b"tab\tbed"], ids=["empty", "long", "space", "é", "tab"]
)
async def test_a_malformed_key_is_named(start: Start, key: bytes) -> None:
    async with start(things()) as client:
        response = await client.post("/thing", json={"note": "a"}, headers={b"Idempotency-Key": key})
        assert (response.status_code, response.json()["code"]) == (400, 40003)
        assert "Idempotency-Key" in response.json()["message"]
        assert await count(client) == 0


async def test_two_keys_are_refused_and_255_characters_are_not(start: Start) -> None:
    async with start(things()) as client:
        two = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        assert (await client.post("/thing", json={"note": "a"}, headers=two)).json()["code"] == 40003
        headers = {"Idempotency-Key": "~" * 255}
        assert (await client.post("/thing", json={"note": "a"}, headers=headers)).status_code == 201


@ON_ALL
@pytest.mark.parametrize("returned", [False, True])
async def test_a_refusal_is_remembered_and_its_effect_is_not(start: Start, returned: bool) -> None:
    async with start(things()) as client:
        responses = [
            await client.post(f"/refused?returned={returned}", headers={"Idempotency-Key": "k"})
            for _ in range(2)
        ]
        assert [response.status_code for response in responses] == [409, 409]
        assert responses[0].content == responses[1].content
        assert [response.headers.get("Idempotency-Replayed") for response in responses] == [None, "true"]
        assert await count(client) == 0


@ON_ALL
async def test_what_validation_and_the_commit_refuse_is_remembered(start: Start) -> None:
    async with start(things()) as client:
        await client.post("/thing", json={"note": "a"})
        for key, body, status in (("k-1", {}, 422), ("k-2", {"note": "a"}, 409)):
            responses = [
                await client.post("/thing", json=body, headers={"Idempotency-Key": key}) for _ in range(2)
            ]
            assert [response.status_code for response in responses] == [status, status]
            assert responses[0].content == responses[1].content
            assert responses[1].headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("returned", [False, True])
async def test_a_failure_of_ours_is_not_remembered(start: Start, returned: bool) -> None:
    async with start(things()) as client:
        for status in (503, 429) if returned else (503,):
            responses = [
                await client.post(
                    f"/refused?status={status}&returned={returned}", headers={"Idempotency-Key": str(status)}
                )
                for _ in range(2)
            ]
            assert [response.headers.get("Idempotency-Replayed") for response in responses] == [None, None]
            assert responses[0].content != responses[1].content
        bugs = [
            await client.post("/bug", json={"note": "a"}, headers={"Idempotency-Key": "b"}) for _ in range(2)
        ]
        assert [bug.headers.get("Idempotency-Replayed") for bug in bugs] == [None, None]
        assert [bug.status_code for bug in bugs] == [500, 500]
        assert await count(client) == await count(client, "kernel_idempotency_key") == 0


async def test_what_is_refused_before_the_handler_is_not_remembered(start: Start) -> None:
    async with start(things(), request_body_limit_bytes=100, rate_limit_default="4/minute") as client:
        key = {"Idempotency-Key": "k"}
        nobody = await client.post("/thing", json={"note": "a"}, headers={**key, "Authorization": ""})
        large = await client.post("/thing", json={"note": "a" * 200}, headers=key)
        media = await client.post("/thing", content=b"x", headers={**key, "Content-Type": "text/plain"})
        assert [response.status_code for response in (nobody, large, media)] == [401, 413, 415]
        done = await client.post("/thing", json={"note": "a"}, headers=key)
        assert (done.status_code, done.headers.get("Idempotency-Replayed")) == (201, None)
        await client.post("/thing", json={"note": "a"}, headers=key)
        assert (await client.post("/thing", json={"note": "a"}, headers=key)).status_code == 429


@ON_ALL
async def test_an_answer_that_is_too_large_is_refused_before_the_commit(start: Start) -> None:
    router = Router()

    @router.post("/large", **OPTIONS)
    async def answer(session: Session, size: int) -> Any:
        await put(session, str(size))
        return StreamingResponse(iter([b"x" * (size // 2)] * 2), media_type="text/plain")

    async with start(router) as client:
        for size, status, effects in ((MAX_BODY_BYTES, 200, 1), (MAX_BODY_BYTES + 2, 500, 1)):
            key = {"Idempotency-Key": f"k-{size}"}
            response = await client.post(f"/large?size={size}", headers=key)
            assert (response.status_code, await count(client)) == (status, effects)
        again = await client.post(
            f"/large?size={MAX_BODY_BYTES}", headers={"Idempotency-Key": f"k-{MAX_BODY_BYTES}"}
        )
        assert again.headers["Idempotency-Replayed"] == "true"
        assert (again.content, again.headers["Content-Type"]) == (
            b"x" * MAX_BODY_BYTES,
            "text/plain; charset=utf-8",
        )


@ON_ALL
async def test_a_key_counts_for_24_hours(start: Start) -> None:
    async with start(things()) as client:
        key = {"Idempotency-Key": "k"}
        first = await client.post("/thing", json={"note": "a"}, headers=key)
        with clock.travel(seconds=24 * 3600 - 60):
            headers = {**key, "Authorization": f"Bearer {sign_in(client.app, 'somebody')}"}
            assert (await client.post("/thing", json={"note": "a"}, headers=headers)).content == first.content
        with clock.travel(seconds=24 * 3600 + 60):
            headers = {**key, "Authorization": f"Bearer {sign_in(client.app, 'somebody')}"}
            later = await client.post("/thing", json={"note": "b"}, headers=headers)
            assert (later.status_code, later.headers.get("Idempotency-Replayed")) == (201, None)
            assert await count(client, "kernel_idempotency_key") == 1


@ON_ALL
async def test_old_keys_are_deleted(database_url: str) -> None:
    resources = Resources(make_settings(database_url))
    old = {"fingerprint": "", "status": 200, "body": b"", "created_at": clock.now()}
    database: Database = resources.database
    try:
        with resources.context("test"), clock.travel(seconds=25 * 3600):
            async with database.sessions() as session, session.begin():
                await session.execute(
                    IdempotencyKey.__table__.insert(),  # type: ignore[attr-defined]
                    [{"id": generate_key(), **old} for _ in range(PRUNE_BATCH + 1)],
                )
                session.add(IdempotencyKey(id=generate_key(), **{**old, "created_at": clock.now()}))
            await prune()
            async with database.sessions() as session:
                assert await session.scalar(select(func.count()).select_from(IdempotencyKey)) == 1
    finally:
        await resources.close()
        await database.close()


def test_a_route_that_cannot_be_repeated_is_refused() -> None:
    router = Router()

    async def public() -> str:
        return ""

    async def stream() -> StreamingResponse:
        return StreamingResponse(iter(()))

    async def generate() -> AsyncIterator[bytes]:
        yield b""

    with pytest.raises(StartError, match="public route cannot be idempotent"):
        router.post("/a", public=True, idempotent=True)(public)
    for path, endpoint, options in (
        ("/b", stream, {}),
        ("/c", generate, {}),
        ("/d", public, {"response_class": FileResponse}),
    ):
        router.post(path, **OPTIONS, **options)(endpoint)
        with pytest.raises(StartError, match="a stream cannot be idempotent"):
            router.routes[-1].check()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_api_documentation_tells(start: Start) -> None:
    router = things()
    fastapi = FastAPI()
    fastapi.router.routes[:] = router.routes
    async with start(things()) as client:
        document = build_document(fastapi, RouteTable(router.routes), client.app.resources.envelope)
    operation = document["paths"]["/thing"]["post"]
    (parameter,) = operation["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("Idempotency-Key", "header", False)
    assert {"409", "422", "default"} <= operation["responses"].keys()

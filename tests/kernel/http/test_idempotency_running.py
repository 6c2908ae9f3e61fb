"""Keys while their request runs: at once, cut short, past its deadline, and with work behind the answer."""

import asyncio
import time

import pytest
from fastapi import BackgroundTasks, Request
from sqlalchemy import text

from tests.kernel.http.things import OPTIONS, Start, call, count, put, things
from xumi.kernel.context import current
from xumi.kernel.db.session import Session
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.http.router import Router
from xumi.kernel.ids import generate_key

pytestmark = pytest.mark.anyio

# For tests of what each database does in its own way.
ON_ALL = pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)


@ON_ALL
async def test_a_key_that_is_running_says_try_again(start: Start) -> None:
    router, entered, leave = Router(), asyncio.Event(), asyncio.Event()

    @router.post("/slow", **OPTIONS)
    async def wait(session: Session) -> str:
        await put(session, "slow")
        entered.set()
        await leave.wait()
        return "done"

    async with start(router) as client, asyncio.TaskGroup() as group:
        key = {"Idempotency-Key": "k"}
        first = group.create_task(client.post("/slow", headers=key))
        await entered.wait()
        busy = await client.post("/slow", headers=key)
        assert (busy.status_code, busy.json()["code"], busy.headers["Retry-After"]) == (409, 40903, "1")
        leave.set()
        assert (await first).json()["data"] == "done"
        again = await client.post("/slow", headers=key)
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")


@ON_ALL
async def test_two_processes_answer_once(start: Start, database_url: str) -> None:
    """Two applications on one database stand for two processes: they share nothing else."""
    entered, leave = asyncio.Event(), asyncio.Event()

    def slow() -> Router:
        router = Router()

        @router.post("/slow", **OPTIONS)
        async def wait(session: Session) -> str:
            await put(session, "slow")
            entered.set()
            await leave.wait()
            return "done"

        return router

    async with start(slow()) as one, start(slow()) as two, asyncio.TaskGroup() as group:
        key = {"Idempotency-Key": "k"}
        first = group.create_task(one.post("/slow", headers=key))
        await entered.wait()
        second = group.create_task(two.post("/slow", headers=key))
        await asyncio.wait({second}, timeout=0.5)
        # PostgreSQL knows at once that the key is taken; the others wait for the end of the first transaction.
        assert second.done() == database_url.startswith("postgresql")
        leave.set()
        answers = [await first, await second]
        assert answers[0].json()["data"] == "done"
        if database_url.startswith("postgresql"):
            assert answers[1].json()["code"] == 40903
        else:
            assert answers[1].content == answers[0].content
            assert answers[1].headers["Idempotency-Replayed"] == "true"
        assert await count(one) == 1


async def test_a_client_that_leaves_early_leaves_nothing_behind(start: Start) -> None:
    async with start(things()) as client:
        half = {"type": "http.request", "body": b'{"no', "more_body": True}
        sent = await call(client, "/thing", half, {"type": "http.disconnect"})
        assert sent[0]["status"] == 400
        assert await count(client, "kernel_idempotency_key") == 0


async def test_a_request_past_its_deadline_frees_its_key(start: Start) -> None:
    router, calls = Router(), []

    @router.post("/slow", deadline_seconds=3, **OPTIONS)
    async def wait(session: Session) -> str:
        await put(session, "slow")
        calls.append(time.monotonic())
        if len(calls) == 1:
            await asyncio.sleep(30)
        return "done"

    async with start(router) as client:
        key = {"Idempotency-Key": "k"}
        assert (await client.post("/slow", headers=key)).status_code == 504
        assert (await client.post("/slow", headers=key)).json()["data"] == "done"
        assert await count(client) == 1


async def test_work_behind_the_answer_begins_after_it(start: Start) -> None:
    router, seen = Router(), []

    @router.post("/later", **OPTIONS)
    async def add(session: Session, tasks: BackgroundTasks, request: Request) -> str:
        await put(session, "a")
        database = current().resources.database

        async def look() -> None:
            async with database.engine.connect() as connection:
                seen.append(await connection.scalar(text("SELECT count(*) FROM t_thing")))

        tasks.add_task(look)
        return "done"

    async with start(router) as client:
        for _ in range(2):
            response = await client.post("/later", headers={"Idempotency-Key": "k"})
            assert response.json()["data"] == "done"
        assert seen == [1]


@ON_ALL
async def test_what_fails_behind_the_answer_changes_nothing(start: Start) -> None:
    router = Router()

    @router.post("/later", **OPTIONS)
    async def add(session: Session, tasks: BackgroundTasks) -> str:
        await put(session, "a")

        async def fail() -> None:
            raise APIException(APICode.CONFLICT)

        tasks.add_task(fail)
        return "done"

    async with start(router) as client:
        for _ in range(2):
            sent = await call(client, "/later", {"type": "http.request", "body": b""})
            assert [(piece["type"], piece.get("status")) for piece in sent] == [
                ("http.response.start", 200),
                ("http.response.body", None),
            ]
        assert await count(client) == 1


@ON_ALL
async def test_a_handler_may_roll_back_and_go_on(start: Start) -> None:
    router = Router()

    @router.post("/twice", **OPTIONS)
    async def add(session: Session) -> str:
        await put(session, "lost")
        await session.rollback()
        await put(session, "kept")
        return generate_key()

    async with start(router) as client:
        key = {"Idempotency-Key": "k"}
        first, again = [await client.post("/twice", headers=key) for _ in range(2)]
        assert first.status_code == 200
        assert first.content == again.content
        assert await count(client) == 1

"""One key, one effect: under a hundred requests at once on two workers, and under `kill -9` at random moments."""

import asyncio
import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from tests.conftest import PASSWORD, sign_in
from tests.siege.record import record
from tests.siege.scale import scaled
from xumi.kernel.db.engine import Database
from xumi.kernel.idempotency import IdempotencyKey
from xumi.kernel.testing.server import RunningServer, run_server
from xumi.modules.poster.models import Poster

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1200)]

REQUESTS = 100
CLIENTS = 8
PATIENCE_SECONDS = 60
ADD = "/poster/add"


def environment(database_url: str) -> dict[str, str]:
    """Settings of the server; nobody is limited, so that every request comes to the key."""
    return {
        "DATABASE_URL": database_url,
        "RATE_LIMIT_ENABLED": "false",
        "INITIAL_ADMIN_PASSWORD": PASSWORD,
        "JWT_SECRET_KEY": "a secret that outlives the server under test",
    }


async def posters(database_url: str) -> Counter[str]:
    """How many posters there are of each title."""
    database = Database(database_url)
    async with database.sessions() as session:
        titles = (await session.scalars(select(Poster.title))).all()
    await database.close()
    return Counter(titles)


async def unanswered(database_url: str) -> int:
    """Keys that were committed without an answer."""
    database = Database(database_url)
    async with database.sessions() as session:
        statement = select(func.count()).select_from(IdempotencyKey).where(IdempotencyKey.status == 0)
        found = await session.scalar(statement)
    await database.close()
    return int(found or 0)


def kind(database_url: str) -> str:
    return database_url.partition(":")[0]


@pytest.mark.siege
async def test_a_hundred_requests_with_one_key_have_one_effect(tmp_path: Path, database_url: str) -> None:
    rounds, statuses = scaled(50), Counter[int]()
    limits = httpx.Limits(max_connections=REQUESTS)
    with run_server(tmp_path, "--workers", "2", environment=environment(database_url)) as server:
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=60) as client:
            await sign_in(client, "admin")
            for number in range(rounds):
                statuses += await one_round(client, f"round-{number}")
    effects = await posters(database_url)
    record(
        f"idempotency-{kind(database_url)}",
        {
            "rounds": rounds,
            "requests": rounds * REQUESTS,
            "effects": effects.total(),
            "statuses": dict(statuses),
        },
    )
    assert effects == {f"round-{number}": 1 for number in range(rounds)}
    assert await unanswered(database_url) == 0


async def one_round(client: httpx.AsyncClient, key: str) -> Counter[int]:
    """All requests at once; those that are told to wait try again until they get the answer."""
    statuses = Counter[int]()

    async def call() -> bytes:
        for _ in range(1000):
            response = await client.post(
                ADD, json={"title": key, "content": "x"}, headers={"Idempotency-Key": key}
            )
            statuses[response.status_code] += 1
            if response.status_code == 201:
                return response.content
            assert response.status_code == 503 or response.json()["code"] == 40903, response.text
            await asyncio.sleep(0.02)
        raise AssertionError(f"{key} is stuck")

    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(call()) for _ in range(REQUESTS)]
    assert len({answer.result() for answer in answers}) == 1
    return statuses


class Siege:
    """Clients that send each request until it is answered, whatever happens to the server."""

    def __init__(self) -> None:
        self.url = ""
        self.headers: dict[str, str] = {}
        self.answers: dict[str, str] = {}
        self.tries = 0
        self.over = False

    async def send_all(self, name: int) -> None:
        """One client: a new key, again and again, until the siege is over."""
        number = 0
        async with httpx.AsyncClient(timeout=10) as client:
            while not self.over:
                key = f"client-{name}-{number}"
                async with asyncio.timeout(PATIENCE_SECONDS):
                    first, again = await self._send(client, key), await self._send(client, key)
                assert first == again
                self.answers[key] = first
                number += 1

    async def _send(self, client: httpx.AsyncClient, key: str) -> str:
        while True:
            self.tries += 1
            headers = {**self.headers, "Idempotency-Key": key}
            try:
                body = {"title": key, "content": "x"}
                response = await client.post(self.url + ADD, json=body, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(0.25)
                continue
            if response.status_code == 201:
                return str(response.json()["data"])
            assert response.status_code == 503 or response.json()["code"] == 40903, response.text
            await asyncio.sleep(0.05)


@pytest.mark.siege
async def test_no_kill_doubles_an_effect_or_leaves_a_key_stuck(tmp_path: Path, database_url: str) -> None:
    kills, siege, dice = scaled(50), Siege(), random.Random(4711)
    tasks: list[asyncio.Task[Any]] = []
    for number in range(kills + 1):
        context = run_server(tmp_path, environment=environment(database_url))
        server: RunningServer = await asyncio.to_thread(context.__enter__)
        try:
            siege.url = server.url
            if not tasks:
                async with httpx.AsyncClient(base_url=server.url) as client:
                    await sign_in(client, "admin")
                    siege.headers["Authorization"] = client.headers["Authorization"]
                tasks = [asyncio.create_task(siege.send_all(name)) for name in range(CLIENTS)]
            await asyncio.sleep(dice.uniform(0.1, 1.0))
            if number < kills:
                os.killpg(server.process.pid, signal.SIGKILL)
                await asyncio.to_thread(server.process.wait)
            else:
                siege.over = True
                await asyncio.gather(*tasks)
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)
    effects, stuck = await posters(database_url), await unanswered(database_url)
    duplicates = sum(found - 1 for found in effects.values())
    record(
        f"idempotency-kills-{kind(database_url)}",
        {
            "kills": kills,
            "keys": len(siege.answers),
            "tries": siege.tries,
            "duplicates": duplicates,
            "stuck": stuck,
        },
    )
    assert len(siege.answers) > kills
    assert effects.keys() == siege.answers.keys()
    assert (duplicates, stuck) == (0, 0)

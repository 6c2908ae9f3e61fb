"""Guessing one account's password, 200 at a time, from one address and from 500: ten guesses are evaluated, and the owner gets in."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.conftest import PASSWORD
from tests.siege.record import record
from tests.siege.scale import on_databases, scaled
from xumi.kernel.testing.server import RunningServer, run_server
from xumi.modules.account.constants import MAX_GUESSES

pytestmark = [pytest.mark.anyio, pytest.mark.siege, pytest.mark.timeout(600), on_databases("sqlite")]

ADDRESSES, PARALLEL = 500, 200

# A feature of the server under siege, which writes a line for each password that is really compared with an account's.
MODULE = """from xumi.kernel import Module

MODULE = Module(name="counting", title_en="Counting", title_zh="计数", depends=("account",))
"""
SERVICE = """import os

from xumi.modules.account.service import signin

compared = os.open("compared.txt", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
verify = signin.verify_password


async def count(given, made):
    os.write(compared, f"{given}\\n".encode())
    return await verify(given, made)


signin.verify_password = count
"""


def write_counting(directory: Path) -> None:
    folder = directory / "modules" / "counting"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(MODULE)
    (folder / "service.py").write_text(SERVICE)


async def guess(
    client: httpx.AsyncClient, name: str, given: str, address: str, turns: asyncio.Semaphore
) -> int:
    body = {"username": name, "password": given}
    async with turns:
        return (await client.post("/auth/login", json=body, headers={"X-Forwarded-For": address})).status_code


async def let_owner_in(owner: httpx.AsyncClient, name: str) -> int:
    """Sign in on the known device; a server that is too busy says so, and is asked again. Returns how often it was asked."""
    for count in range(1, 200):
        answer = await owner.post("/auth/login", json={"username": name, "password": PASSWORD})
        if answer.status_code == 200:
            return count
        assert answer.status_code == 503, answer.text
        await asyncio.sleep(0.1)
    raise AssertionError("the owner is kept out")


async def attack(server: RunningServer, name: str, addresses: int, guesses: int) -> dict[str, int]:
    """Wrong guesses, and when they are used up the right password among others; meanwhile the owner signs in."""
    compared = server.directory / "compared.txt"
    limits, turns = httpx.Limits(max_connections=PARALLEL), asyncio.Semaphore(PARALLEL)
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=120, limits=limits) as stranger,
        httpx.AsyncClient(base_url=server.url, timeout=120) as owner,
    ):
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        assert (await owner.post("/auth/register", json=body)).status_code == 201
        await let_owner_in(owner, name)
        compared.write_text("")
        asked, statuses = 0, Counter[int]()
        wrong = [f"guess {number}" for number in range(guesses)]
        for words in (wrong, [PASSWORD, "another guess"] * (guesses // 5)):
            # As a proxy names them.
            named = [f"10.{n % addresses // 250}.0.{n % addresses % 250 + 1}" for n in range(len(words))]
            sent = [guess(stranger, name, *of, turns) for of in zip(words, named, strict=True)]
            running = asyncio.gather(*sent)
            await asyncio.sleep(0.1)
            asked += await let_owner_in(owner, name)
            statuses.update(await running)
    evaluated = [word for word in compared.read_text().splitlines() if word != PASSWORD]
    return {
        "addresses": min(addresses, guesses),
        "parallel": min(PARALLEL, guesses),
        "guesses": statuses.total(),
        "evaluated": len(evaluated),
        "let_in": statuses[200],
        "refused": statuses[401],
        "too_busy": statuses[503],
        "the_owner_asked": asked,
        "the_owner_was_compared": compared.read_text().splitlines().count(PASSWORD),
    }


async def test_ten_guesses_are_evaluated_and_the_owner_gets_in(tmp_path: Path, database_url: str) -> None:
    write_counting(tmp_path)
    environment = {
        "DATABASE_URL": database_url,
        "RATE_LIMIT_ENABLED": "false",
        "TRUSTED_PROXIES": "127.0.0.0/8",
    }
    guesses = scaled(ADDRESSES)
    with run_server(tmp_path, "--workers", "2", environment=environment) as server:
        figures = [
            await attack(server, f"owner-{addresses}", addresses, guesses) for addresses in (1, ADDRESSES)
        ]
    record(
        f"brute-force-{database_url.partition(':')[0]}",
        {f"from {found['addresses']}": found for found in figures},
    )
    for found in figures:
        # Nothing but refusals; 503 says that the server is too busy.
        assert found["refused"] + found["too_busy"] == found["guesses"], found
        assert 1 <= found["evaluated"] <= MAX_GUESSES, found
        # The right password was compared for the owner alone: twice, or where he was told that the server is too busy.
        assert 2 <= found["the_owner_was_compared"] <= found["the_owner_asked"], found

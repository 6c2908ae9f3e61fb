"""Locks and counters hold over processes: several real ones work at the same time, some are halted or killed."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.siege.record import record
from tests.siege.scale import scaled
from xumi.kernel.db.engine import Database
from xumi.kernel.testing.server import clean_environment

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

PROCESSES = 4
PROLOGUE = """
import asyncio, json, sys
from sqlalchemy import text
from xumi.kernel import counters
from xumi.kernel.config import Settings
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.locks import LockNotAvailable, lock
from xumi.kernel.resources import Resources

def say(value):
    print("said", json.dumps(value), flush=True)

async def main():
    resources = Resources(Settings(app_env="test", database_url=sys.argv[1], database_pool_size=4))
    await resources.database.start()
    with resources.context("test"):
        await work(int(sys.argv[2]))
    await resources.database.close()
"""
# Reads, waits and writes: whoever is inside at the same time as another one loses an addition.
ADD_UNDER_LOCK = """
async def work(rounds):
    for _ in range(rounds):
        async with lock("total", timeout_seconds=120) as held:
            async with unit_of_work() as unit:
                value = await unit.session.scalar(text("SELECT value FROM t_total"))
            await asyncio.sleep(0.001)
            async with unit_of_work() as unit:
                await held.check(unit.session)
                await unit.session.execute(text("UPDATE t_total SET value = :value"), {"value": value + 1})
            say([value, held.token])
"""
HOLD = """
async def work(_):
    async with lock("total", ttl_seconds=1) as held:
        say(held.token)
        await asyncio.to_thread(sys.stdin.readline)
        try:
            async with unit_of_work() as unit:
                await held.check(unit.session)
            say("mine")
        except LockNotAvailable:
            say("lost")
"""
HOLD_ONCE = """
async def work(_):
    async with lock("total", timeout_seconds=60) as held:
        say(held.token)
"""
COUNT = """
async def work(rounds):
    for _ in range(rounds):
        say([await counters.add("a"), await counters.take("b", 1, limit=rounds, window_seconds=600)])
"""
Process = "subprocess.Popen[str]"


@contextmanager
def processes(number: int, code: str, database_url: str, rounds: int = 0) -> Iterator[list[Any]]:
    """Run the same code in several processes; those that still run at the end of the block are killed."""
    script = f"{PROLOGUE}{code}\nasyncio.run(main())"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, database_url, str(rounds)],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def said(started: list[Any]) -> list[Any]:
    """What all of them say until they end well; the lines of their log stand between."""
    lines = []
    for process in started:
        output, _ = process.communicate()
        assert process.returncode == 0
        lines += [json.loads(line[5:]) for line in output.splitlines() if line.startswith("said ")]
    return lines


@pytest.fixture
async def total_url(database_url: str) -> str:
    """A database with a number that is 0."""
    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE t_total (value INTEGER)"))
        await connection.execute(text("INSERT INTO t_total VALUES (0)"))
    await database.close()
    return database_url


async def test_processes_take_turns_under_a_lock(total_url: str, tmp_path: Path) -> None:
    rounds = scaled(250)
    with processes(PROCESSES, ADD_UNDER_LOCK, total_url, rounds) as started:
        seen = sorted(said(started))
    record(
        f"locks-{total_url.partition(':')[0]}",
        {"processes": PROCESSES, "turns": len(seen), "lost": len(seen) - len({value for value, _ in seen})},
    )
    # What was read counts up without a gap, and the tokens grow with it.
    assert [value for value, _ in seen] == list(range(PROCESSES * rounds))
    assert [token for _, token in seen] == list(range(1, PROCESSES * rounds + 1))


async def test_a_holder_that_was_halted_learns_that_it_has_lost(total_url: str) -> None:
    with processes(1, HOLD, total_url) as (halted,):
        assert halted.stdout.readline() == "said 1\n"
        halted.send_signal(signal.SIGSTOP)
        with processes(1, HOLD_ONCE, total_url) as next_one:
            assert said(next_one) == [2]
        halted.send_signal(signal.SIGCONT)
        halted.stdin.write("go on\n")
        assert said([halted]) == ["lost"]


async def test_a_holder_that_goes_on_keeps_it(total_url: str) -> None:
    with processes(1, HOLD, total_url) as (holder,):
        assert holder.stdout.readline() == "said 1\n"
        holder.stdin.write("go on\n")
        assert said([holder]) == ["mine"]


async def test_the_lock_of_a_process_that_was_killed_becomes_free(total_url: str) -> None:
    with processes(1, HOLD, total_url) as (killed,):
        assert killed.stdout.readline() == "said 1\n"
        killed.kill()
        with processes(1, HOLD_ONCE, total_url) as next_one:
            assert said(next_one) == [2]


async def test_processes_count_together(database_url: str) -> None:
    rounds = scaled(500)
    with processes(PROCESSES, COUNT, database_url, rounds) as started:
        seen = said(started)
    assert sorted(value for value, _ in seen) == list(range(1, PROCESSES * rounds + 1))
    assert sum(taken for _, taken in seen) == rounds

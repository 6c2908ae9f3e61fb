"""`contend` finds a check that somebody else slips past, and lets pass what the database decides."""

import asyncio
import itertools
import os
import time
from pathlib import Path

import pytest

from tests.kernel.testing.conftest import Seat
from xumi.kernel.testing.contention import contend, contend_in_processes

BUYERS = 4


async def test_a_check_before_the_write_lets_in_several(seat: Seat) -> None:
    outcomes = await contend(BUYERS, seat.check_and_take)
    assert outcomes.errors == []
    assert sum(outcomes.results) > 1
    assert await seat.read("sold") > 1


async def test_a_write_that_checks_lets_in_one(seat: Seat) -> None:
    outcomes = await contend(BUYERS, seat.take_if_free)
    assert sorted(outcomes.results) == [False] * (BUYERS - 1) + [True]
    assert await seat.read("sold") == 1


async def test_nobody_begins_before_all_are_there_and_outcomes_keep_the_order() -> None:
    begun: list[int] = []
    numbers = itertools.count()

    async def begin(number: int) -> int:
        begun.append(number)
        await asyncio.sleep(0)
        # All have begun before the first goes on.
        assert sorted(begun) == [0, 1, 2, 3, 4]
        if number == 1:
            raise LookupError("the second")
        return number

    outcomes = await contend(5, lambda: begin(next(numbers)))
    assert [type(outcome).__name__ for outcome in outcomes] == ["int", "LookupError", "int", "int", "int"]
    assert outcomes.results == [0, 2, 3, 4]
    assert [str(error) for error in outcomes.errors] == ["the second"]


async def test_calls_that_wait_for_each_other_are_ended() -> None:
    locks, calls = [asyncio.Lock(), asyncio.Lock()], 0

    async def lock_both() -> None:
        nonlocal calls
        calls += 1
        first, second = locks if calls % 2 else locks[::-1]
        async with first:
            await asyncio.sleep(0)
            async with second:
                pass

    with pytest.raises(TimeoutError, match=r"2 calls at once did not end within 0\.2 s"):
        await contend(2, lock_both, limit_seconds=0.2)
    assert [lock.locked() for lock in locks] == [False, False]


def take_carelessly(path: Path) -> bool:
    """The bug, between processes: look whether there is a file, then make it."""
    if path.exists():
        return False
    time.sleep(0.2)
    path.touch()
    return True


def take_exclusively(path: Path) -> int:
    path.touch(exist_ok=False)
    return os.getpid()


def wait_long() -> None:
    time.sleep(600)


def test_processes_slip_past_a_check(tmp_path: Path) -> None:
    assert contend_in_processes(2, take_carelessly, tmp_path / "lock") == [True, True]


def test_processes_of_which_one_wins(tmp_path: Path) -> None:
    outcomes = contend_in_processes(2, take_exclusively, tmp_path / "lock")
    (winner,) = outcomes.results
    assert winner != os.getpid()
    assert [type(error) for error in outcomes.errors] == [FileExistsError]


def test_processes_that_do_not_end_are_killed() -> None:
    with pytest.raises(TimeoutError, match="2 processes did not end"):
        contend_in_processes(2, wait_long, limit_seconds=3)

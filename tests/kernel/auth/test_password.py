"""Passwords: Argon2id at the promised cost, the same from every keyboard, never more than the queue holds."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from xumi.kernel.auth import password
from xumi.kernel.auth.password import hash_password, needs_rehash, verify_nothing, verify_password
from xumi.kernel.errors import APICode, APIException


def run(work):  # type: ignore[no-untyped-def]
    return asyncio.run(work)


def test_a_hash_matches_its_password_only() -> None:
    made = run(hash_password("correct horse"))
    assert run(verify_password("correct horse", made))
    assert not run(verify_password("correct horsE", made))
    assert not run(verify_password("", made))
    assert made != run(hash_password("correct horse"))


def test_the_cost_is_the_promised_one() -> None:
    for made in (run(hash_password("correct horse")), password._NOBODY):
        parameters = extract_parameters(made)
        assert parameters.type is Type.ID
        assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)
        assert (parameters.hash_len, parameters.salt_len) == (32, 16)
        assert not needs_rehash(made)


def test_a_hash_of_another_cost_matches_and_wants_to_be_made_again() -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    assert run(verify_password("correct horse", cheap))
    assert needs_rehash(cheap)


@pytest.mark.parametrize(
    "stored", ["", "plain", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=8,t=1,p=1$YQ$"]
)
def test_a_stored_text_that_is_no_hash_matches_nothing(stored: str) -> None:
    assert not run(verify_password("plain", stored))


def test_composed_and_decomposed_letters_are_one_password() -> None:
    made = run(hash_password("cafe\u0301 \uff11\uff12"))
    assert run(verify_password("caf\u00e9 12", made))


def test_nobody_has_a_password() -> None:
    assert run(verify_nothing("anything")) is None
    assert not run(verify_password("anything", password._NOBODY))


def test_too_many_waiting_are_refused_and_the_queue_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "MAX_WAITING", 3)
    gate = threading.Event()

    async def scenario() -> list[object]:
        waiting = [asyncio.create_task(password._run(gate.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(APIException) as caught:
            await verify_nothing("x")
        assert caught.value.code is APICode.OVERLOADED
        assert "Retry-After" in caught.value.headers
        gate.set()
        await asyncio.gather(*waiting)
        return [await verify_nothing("x")]

    assert run(scenario()) == [None]


def test_a_caller_that_goes_away_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    async def scenario() -> None:
        waiting = [asyncio.create_task(password._run(gate.wait)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        gate.set()

    run(scenario())
    assert password._waiting == 0

"""Guessing passwords: ten guesses in any quarter of an hour, however they come, and the owner still gets in."""

import asyncio
import random
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.conftest import PASSWORD
from tests.modules.account.conftest import Connect, SignIn
from xumi.api import Application
from xumi.kernel import clock
from xumi.kernel.context import Context
from xumi.kernel.db.session import unit_of_work
from xumi.modules.account.constants import GUESS_WINDOW_SECONDS, MAX_GUESSES
from xumi.modules.account.models import Guess
from xumi.modules.account.service import guess, signin


async def login(client: httpx.AsyncClient, username: str, given: str) -> int:
    return (await client.post("/auth/login", json={"username": username, "password": given})).status_code


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were really compared with an account's, in their order. Others cost no time here."""
    compared: list[str] = []
    verify = signin.verify_password

    async def count(given: str, made: str) -> bool:
        compared.append(given)
        return await verify(given, made)

    async def skip(_given: str) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(signin, "verify_password", count)
    monkeypatch.setattr(signin, "verify_nothing", skip)
    return compared


async def test_of_200_parallel_guesses_from_everywhere_ten_are_evaluated_and_the_owner_gets_in(
    connect: Connect, sign_up: SignIn, evaluated: list[str]
) -> None:
    owner = await sign_up("alice")
    evaluated.clear()
    strangers = [await connect(ip=f"198.51.100.{n}") for n in range(1, 51)]
    attempts = [login(strangers[n % 50], "Alice" if n % 2 else "alice", f"guess {n}") for n in range(200)]
    # On a slow machine some wait too long for the database and are told so: they were not evaluated.
    assert set(await asyncio.gather(*attempts)) <= {401, 503}
    assert 1 <= len(evaluated) <= MAX_GUESSES
    for n in range(MAX_GUESSES):
        assert await login(strangers[n], "alice", f"late guess {n}") == 401
    assert await login(strangers[0], "alice", PASSWORD) == 401
    assert len(evaluated) == MAX_GUESSES
    assert await login(owner.client, "alice", PASSWORD) == 200


async def test_a_known_device_has_as_many_guesses_of_its_own(
    connect: Connect, sign_up: SignIn, evaluated: list[str]
) -> None:
    owner = await sign_up("alice")
    evaluated.clear()
    await asyncio.gather(*(login(owner.client, "alice", f"guess {n}") for n in range(30)))
    assert len(evaluated) == MAX_GUESSES
    assert await login(owner.client, "alice", PASSWORD) == 401
    assert await login(await connect(), "alice", PASSWORD) == 200


async def test_another_accounts_device_or_an_invented_one_is_a_stranger(
    client: httpx.AsyncClient, sign_up: SignIn, evaluated: list[str]
) -> None:
    await sign_up("alice")
    mallory = await sign_up("mallory")
    invented = mallory.client.cookies["xumi_device"].rpartition(".")[0] + "." + "A" * 43
    evaluated.clear()
    for n in range(12):
        cookie = mallory.client.cookies["xumi_device"] if n % 2 else invented
        client.cookies.set("xumi_device", cookie, path="/auth")
        await login(client, "alice", f"guess {n}")
    assert len(evaluated) == MAX_GUESSES


async def test_an_unknown_account_is_counted_alike(client: httpx.AsyncClient, app: Application) -> None:
    for n in range(3):
        await login(client, "nobody", f"guess {n}")
    await login(client, "NoBody", "guess")
    async with unit_of_work(app.resources) as work:
        rows = await work.session.execute(Guess.__table__.select())
        assert [row.current for row in rows] == [4]


async def test_right_passwords_do_not_count(client: httpx.AsyncClient, sign_up: SignIn) -> None:
    await sign_up("alice")
    for _ in range(MAX_GUESSES - 1):
        assert await login(client, "alice", "wrong") == 401
        client.cookies.clear()
    for _ in range(MAX_GUESSES + 2):
        assert await login(client, "alice", PASSWORD) == 200
        client.cookies.clear()
    assert await login(client, "alice", "wrong") == 401
    client.cookies.clear()
    assert await login(client, "alice", PASSWORD) == 401


async def test_a_locked_account_opens_by_itself(client: httpx.AsyncClient, sign_up: SignIn) -> None:
    await sign_up("alice")
    for _ in range(MAX_GUESSES):
        await login(client, "alice", "wrong")
    assert await login(client, "alice", PASSWORD) == 401
    with clock.travel(seconds=2 * GUESS_WINDOW_SECONDS):
        assert await login(client, "alice", PASSWORD) == 200


@pytest.fixture
async def inside(app: Application) -> AsyncIterator[Context]:
    """The context of a job of this application."""
    with app.resources.context("test") as context:
        yield context


async def test_no_quarter_of_an_hour_holds_more_than_ten_guesses(inside: Context) -> None:
    random.seed(20_261_120)
    taken: list[float] = []
    with clock.travel() as journey:
        for _ in range(150):
            journey.move(seconds=random.choice((1, 5, 60, 200, 450)) * random.random())
            if await guess.reserve("somebody"):
                taken.append(clock.timestamp())
    assert len(taken) > 3 * MAX_GUESSES
    for first, eleventh in zip(taken, taken[MAX_GUESSES:], strict=False):
        assert eleventh - first > GUESS_WINDOW_SECONDS


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_many_first_guesses_at_once_are_all_counted(inside: Context) -> None:
    async def reserve(name: str) -> bool:
        with inside.resources.context("test"):
            return await guess.reserve(name)

    for round_ in range(5):
        granted = await asyncio.gather(*(reserve(f"subject {round_}") for _ in range(25)))
        assert sum(granted) == MAX_GUESSES


async def test_giving_back_never_goes_below_nothing(inside: Context) -> None:
    await guess.reserve("somebody")
    async with unit_of_work() as work:
        for _ in range(3):
            await guess.give_back(work.session, "somebody")
    granted = [await guess.reserve("somebody") for _ in range(MAX_GUESSES + 1)]
    assert sum(granted) == MAX_GUESSES

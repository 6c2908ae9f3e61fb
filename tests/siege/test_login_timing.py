"""What a refused sign-in tells about an account: the same words, the same work, and how long each kind takes."""

import statistics
import time
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from tests.conftest import PASSWORD, make_settings
from tests.siege.record import record
from tests.siege.scale import on_databases, scaled
from xumi.api import Application
from xumi.kernel import clock
from xumi.kernel.auth import password
from xumi.kernel.config import Settings
from xumi.kernel.ids import generate_key
from xumi.modules.account.constants import MAX_GUESSES
from xumi.modules.account.models import User

pytestmark = [pytest.mark.anyio, pytest.mark.siege, pytest.mark.timeout(600), on_databases("sqlite")]

ATTEMPTS = 200
KINDS = ("unknown", "wrong", "disabled", "locked")


@pytest.fixture
def settings(database_url: str) -> Settings:
    """As many attempts as there are, from one address."""
    return make_settings(database_url, rate_limit_enabled=False, log_level="CRITICAL")


async def make_accounts(app: Application, attempts: int) -> None:
    """Accounts of each kind that exists: so many that none is locked by what is tried here."""
    made, now = await password.hash_password(PASSWORD), clock.now()
    names = [(kind, number) for kind in KINDS[1:] for number in range(attempts // (MAX_GUESSES - 1) + 1)]
    async with app.resources.database.engine.begin() as connection:
        for kind, number in names:
            name = f"{kind}-{number}"
            values = {
                "id": generate_key(),
                "username": name,
                "username_key": name,
                "password_hash": made,
                "epoch": 0,
            }
            times = {"created_at": now, "updated_at": now}
            await connection.execute(insert(User).values(enabled=kind != "disabled", **values, **times))


async def attempt(client: httpx.AsyncClient, kind: str, number: int) -> tuple[float, Any]:
    """Milliseconds, and what the answer says but for the request's own id."""
    name = f"{kind}-{0 if kind == 'locked' else number // (MAX_GUESSES - 1)}"
    given = "a wrong guess" if kind == "wrong" else PASSWORD
    client.cookies.clear()
    begun = time.perf_counter()
    answer = await client.post("/auth/login", json={"username": name, "password": given})
    milliseconds = (time.perf_counter() - begun) * 1000
    return milliseconds, (answer.status_code, answer.json() | {"request_id": ""}, sorted(answer.headers))


async def test_a_refusal_says_the_same_and_costs_the_same(
    app: Application, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = scaled(ATTEMPTS)
    await make_accounts(app, attempts)
    for _ in range(MAX_GUESSES):
        await client.post("/auth/login", json={"username": "locked-0", "password": "a wrong guess"})
    hashed: list[str] = []
    matches = password._matches
    monkeypatch.setattr(password, "_matches", lambda text, made: hashed.append(made) or matches(text, made))
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    said, costs = [], []
    for number in range(attempts):
        # In another order each time, so that none always comes behind the same.
        for place in range(len(KINDS)):
            kind = KINDS[(number + place) % len(KINDS)]
            before = len(hashed)
            milliseconds, answer = await attempt(client, kind, number)
            costs.append(len(hashed) - before)
            taken[kind].append(milliseconds)
            said.append(answer)
    medians = {kind: statistics.median(values) for kind, values in taken.items()}
    record(
        f"login-timing-{app.resources.database.engine.dialect.name}",
        {
            "attempts_of_each_kind": attempts,
            "median_ms": {kind: round(value, 2) for kind, value in medians.items()},
            "apart_percent": round((max(medians.values()) / min(medians.values()) - 1) * 100, 2),
            "different_answers": len({str(answer) for answer in said}),
            "hash_computations_of_each": sorted(set(costs)),
        },
    )
    assert said[0][0] == 401
    assert [answer for answer in said if answer != said[0]] == []
    assert set(costs) == {1}

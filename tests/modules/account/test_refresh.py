"""Refresh tokens: each is exchanged for exactly one other, and a copy that is used later ends the session."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from tests.modules.account.conftest import Person, SignIn
from tests.siege.scale import scaled
from xumi.api import Application
from xumi.kernel import clock
from xumi.kernel.auth.refresh import digest
from xumi.modules.account.models import User, UserSession
from xumi.modules.account.service import session as sessions


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/auth/refresh", json={"refresh_token": token})


async def exchange(client: httpx.AsyncClient, token: str) -> str:
    """The successor of a token that must be accepted."""
    response = await refresh(client, token)
    assert response.status_code == 200, response.text
    successor: str = response.json()["data"]["refresh_token"]
    return successor


async def is_alive(person: Person) -> bool:
    status = (await person.client.get(f"/auth/profile/{person.id}")).status_code
    assert status in (200, 401)
    return status == 200


async def count_sessions(app: Application) -> int:
    async with app.resources.database.engine.connect() as connection:
        return await connection.scalar(select(func.count()).select_from(UserSession)) or 0


async def test_a_refresh_token_brings_new_tokens_of_the_same_session(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    alice = await sign_up("alice")
    response = await refresh(client, alice.refresh_token)
    data = response.json()["data"]
    assert set(data) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert response.headers["Cache-Control"] == "no-store"
    assert data["refresh_token"] != alice.refresh_token
    tokens = app.resources.tokens
    assert tokens.verify(data["access_token"]).sid == tokens.verify(alice.access_token).sid
    assert await count_sessions(app) == 1


async def test_the_old_way_takes_the_token_from_the_header(
    client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    alice = await sign_up("alice")
    bearer = {"Authorization": f"Bearer {alice.refresh_token}"}
    response = await client.get("/auth/refresh", headers=bearer)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert await exchange(client, response.json()["data"]["refresh_token"])
    for wrong in (
        {},
        {"Authorization": alice.refresh_token},
        {"Authorization": f"Bearer {alice.access_token}"},
    ):
        assert (await client.get("/auth/refresh", headers=wrong)).status_code == 401


@pytest.mark.timeout(180)
@pytest.mark.siege
@pytest.mark.parametrize("races", [scaled(50)])
async def test_fifty_parallel_uses_give_one_successor_each_time(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn, races: int
) -> None:
    token = (await sign_up("alice")).refresh_token
    responses = await asyncio.gather(*(refresh(client, token) for _ in range(50)))
    assert {response.status_code for response in responses} == {200}
    (token,) = {response.json()["data"]["refresh_token"] for response in responses}

    async def exchange_as_a_request(token: str) -> str:
        with app.resources.context("request"):
            return (await sessions.refresh(token)).refresh_token

    seen = {token}
    for _ in range(races):
        (token,) = set(await asyncio.gather(*(exchange_as_a_request(token) for _ in range(50))))
        assert token not in seen
        seen.add(token)
        assert await count_sessions(app) == 1
    async with app.resources.database.engine.connect() as connection:
        stored = (await connection.execute(select(UserSession.token_hash))).scalars().all()
    assert stored == [digest(token)]


async def test_a_lost_answer_can_be_asked_for_again(client: httpx.AsyncClient, sign_up: SignIn) -> None:
    alice = await sign_up("alice")
    with clock.travel() as journey:
        successor = await exchange(client, alice.refresh_token)
        journey.move(seconds=9)
        assert await exchange(client, alice.refresh_token) == successor
        assert await exchange(client, successor) != successor


async def test_a_reuse_after_ten_seconds_ends_the_session(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn, sign_in: SignIn
) -> None:
    alice = await sign_up("alice")
    other_device = await sign_in("alice")
    with clock.travel() as journey:
        successor = await exchange(client, alice.refresh_token)
        journey.move(seconds=11)
        assert await is_alive(alice)
        assert (await refresh(client, alice.refresh_token)).status_code == 401
        assert (await refresh(client, successor)).status_code == 401
        assert not await is_alive(alice)
        assert await is_alive(other_device)
        assert await count_sessions(app) == 1


async def test_a_reuse_once_the_successor_was_used_ends_the_session_at_once(
    client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    alice = await sign_up("alice")
    successor = await exchange(client, await exchange(client, alice.refresh_token))
    assert (await refresh(client, alice.refresh_token)).status_code == 401
    assert (await refresh(client, successor)).status_code == 401
    assert not await is_alive(alice)


async def test_the_oldest_token_is_still_recognised(client: httpx.AsyncClient, sign_up: SignIn) -> None:
    alice = await sign_up("alice")
    token = alice.refresh_token
    with clock.travel() as journey:
        for _ in range(8):
            journey.move(seconds=30)
            token = await exchange(client, token)
        assert (await refresh(client, alice.refresh_token)).status_code == 401
        assert (await refresh(client, token)).status_code == 401


async def test_an_invented_token_ends_nobodys_session(client: httpx.AsyncClient, sign_up: SignIn) -> None:
    alice = await sign_up("alice")
    session_id, _, seal = alice.refresh_token.split(".")
    invented = [
        f"{session_id}.{'A' * 43}.{seal}",
        f"{session_id}.{'A' * 43}.{'A' * 43}",
        session_id,
        "",
        "." * 160,
        "ü",
    ]
    for token in [*invented, alice.access_token, alice.refresh_token + ".", alice.refresh_token[:-1]]:
        assert (await refresh(client, token)).status_code == 401
    assert await exchange(client, alice.refresh_token)


async def test_a_session_lives_on_with_use_and_dies_without(
    client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    alice = await sign_up("alice")
    token = alice.refresh_token
    with clock.travel() as journey:
        for _ in range(3):
            journey.move(seconds=13 * 86_400)
            token = await exchange(client, token)
        journey.move(seconds=14 * 86_400 + 1)
        assert (await refresh(client, token)).status_code == 401


async def test_a_disabled_account_is_not_refreshed_even_if_its_session_were_left(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    alice = await sign_up("alice")
    async with app.resources.database.engine.begin() as connection:
        await connection.execute(update(User).where(User.id == alice.id).values(enabled=False))
    assert (await refresh(client, alice.refresh_token)).status_code == 401


async def test_a_slow_request_does_not_turn_a_session_back(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await sign_up("alice")
    rotate = sessions._rotate

    async def be_overtaken(session_id: str, old: str, new: str) -> bool:
        """Between the look at the session and the exchange, others exchange this token and the next one."""
        monkeypatch.setattr(sessions, "_rotate", rotate)
        await exchange(client, await exchange(client, alice.refresh_token))
        return await rotate(session_id, old, new)

    monkeypatch.setattr(sessions, "_rotate", be_overtaken)
    assert (await refresh(client, alice.refresh_token)).status_code == 401
    assert await count_sessions(app) == 0


async def test_a_session_that_ends_while_it_is_refreshed_stays_ended(
    client: httpx.AsyncClient, sign_up: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await sign_up("alice")
    rotate = sessions._rotate

    async def end_first(session_id: str, old: str, new: str) -> bool:
        await alice.client.post("/auth/logout")
        return await rotate(session_id, old, new)

    monkeypatch.setattr(sessions, "_rotate", end_first)
    assert (await refresh(client, alice.refresh_token)).status_code == 401


async def test_all_refusals_look_alike(client: httpx.AsyncClient, sign_up: SignIn) -> None:
    alice, bob = await sign_up("alice"), await sign_up("bob")
    await exchange(client, await exchange(client, alice.refresh_token))
    await bob.client.post("/auth/logout")
    answers: list[dict[str, Any]] = []
    for token in ("invented", alice.refresh_token, alice.refresh_token, bob.refresh_token):
        response = await refresh(client, token)
        assert response.status_code == 401
        answers.append(response.json() | {"request_id": ""})
    assert answers[1:] == answers[:-1]
    assert answers[0]["code"] == 40104


async def test_tokens_survive_a_new_signing_key_while_the_old_one_is_in_the_ring(
    app: Application, sign_up: SignIn, client: httpx.AsyncClient
) -> None:
    alice = await sign_up("alice")
    settings, tokens = app.resources.settings, app.resources.tokens
    for ring, accepted in (
        ("k2:a new secret,k1:a secret of the tests that is long enough", True),
        ("k2:a new secret", False),
    ):
        changed = settings.model_copy(update={"jwt_secret_key": type(settings.jwt_secret_key)(ring)})
        app.resources.tokens = type(tokens)(changed)
        assert ((await refresh(client, alice.refresh_token)).status_code == 200) is accepted


async def test_a_reuse_that_meets_a_refresh_leaves_no_way_in(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    alice = await sign_up("alice")
    with clock.travel() as journey:
        successor = await exchange(client, alice.refresh_token)
        journey.move(seconds=11)
        first, second = await asyncio.gather(refresh(client, successor), refresh(client, alice.refresh_token))
        assert second.status_code == 401
        later = first.json()["data"]["refresh_token"] if first.status_code == 200 else successor
        assert (await refresh(client, later)).status_code == 401
        assert await count_sessions(app) == 0

"""Second factors: setting one up, signing in with it, losing it, and that no code counts twice or is guessed."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.conftest import PASSWORD
from tests.modules.account.conftest import Connect, Person, SignIn
from xumi.api import Application
from xumi.kernel import clock
from xumi.kernel.auth.totp import STEP_SECONDS, make_code
from xumi.modules.account.constants import CHALLENGE_SECONDS, GUESS_WINDOW_SECONDS, MAX_GUESSES
from xumi.modules.account.service import guess, second_factor

# Where what is tested does not depend on the database.
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FAILED = (401, 40110)


def code_now(secret: str) -> str:
    """What the app shows."""
    return make_code(secret, int(clock.timestamp()) // STEP_SECONDS)


def next_code(secret: str) -> str:
    """What an app shows that is ahead, or this one in a moment: it counts after the present one, also when time goes on."""
    return make_code(secret, int(clock.timestamp()) // STEP_SECONDS + 1)


@dataclass
class Enrolled:
    """Somebody with an app."""

    person: Person
    secret: str
    recovery_codes: list[str]


async def enrol(person: Person) -> Enrolled:
    """Set up an app; the present code is used up by it, and the next one can still be used."""
    begun = await person.client.post("/auth/second-factor", json={"password": PASSWORD})
    assert begun.status_code == 201, begun.text
    assert begun.headers["Cache-Control"] == "no-store"
    secret = begun.json()["data"]["secret"]
    confirmed = await person.client.post("/auth/second-factor/confirm", json={"code": code_now(secret)})
    assert confirmed.status_code == 200, confirmed.text
    return Enrolled(person, secret, confirmed.json()["data"]["recovery_codes"])


async def challenge(client: httpx.AsyncClient, username: str, kind: str = "totp") -> str:
    """What a right password brings."""
    response = await client.post("/auth/login", json={"username": username, "password": PASSWORD})
    assert response.status_code == 200, response.text
    data = response.json()["data"]
    assert set(data) == {"second_factor", "challenge", "expires_in"}
    assert data["second_factor"] == kind
    assert "Set-Cookie" not in response.headers
    return str(data["challenge"])


async def answer(client: httpx.AsyncClient, given: str, code: str) -> httpx.Response:
    return await client.post("/auth/login/second-factor", json={"challenge": given, "code": code})


def outcome(response: httpx.Response) -> tuple[int, int]:
    return response.status_code, response.json()["code"]


async def test_an_app_is_set_up_and_asked_for_from_then_on(
    client: httpx.AsyncClient, sign_up: SignIn, sign_in: SignIn
) -> None:
    alice, elsewhere = await sign_up("alice"), await sign_in("alice")
    state = (await alice.client.get("/auth/second-factor")).json()["data"]
    assert state == {"enrolled_at": None, "recovery_codes_left": 0, "required": False}
    enrolled = await enrol(alice)
    state = (await alice.client.get("/auth/second-factor")).json()["data"]
    assert state["enrolled_at"] is not None
    assert (state["recovery_codes_left"], len(set(enrolled.recovery_codes))) == (10, 10)
    # Sessions that began without it have ended, but for the one that set it up.
    assert (await alice.client.get("/auth/sessions")).status_code == 200
    assert (await elsewhere.client.get("/auth/sessions")).status_code == 401
    signed_in = await answer(client, await challenge(client, "alice"), next_code(enrolled.secret))
    assert signed_in.status_code == 200
    assert set(signed_in.json()["data"]) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert "xumi_device" in signed_in.headers["Set-Cookie"]
    headers = {"Authorization": f"Bearer {signed_in.json()['data']['access_token']}"}
    assert (await client.get("/auth/sessions", headers=headers)).status_code == 200


@one_database
async def test_nothing_counts_before_it_is_confirmed(client: httpx.AsyncClient, sign_up: SignIn) -> None:
    alice = await sign_up("alice")
    first = (await alice.client.post("/auth/second-factor", json={"password": PASSWORD})).json()["data"]
    second = (await alice.client.post("/auth/second-factor", json={"password": PASSWORD})).json()["data"]
    assert first["secret"] != second["secret"]
    wrong = await alice.client.post("/auth/second-factor/confirm", json={"code": code_now(first["secret"])})
    assert outcome(wrong) == FAILED
    login = await client.post("/auth/login", json={"username": "alice", "password": PASSWORD})
    assert "access_token" in login.json()["data"]
    right = await alice.client.post("/auth/second-factor/confirm", json={"code": code_now(second["secret"])})
    assert right.status_code == 200
    again = await alice.client.post("/auth/second-factor", json={"password": PASSWORD})
    assert outcome(again) == (409, 40911)
    assert outcome(await alice.client.post("/auth/second-factor/confirm", json={"code": "000000"})) == FAILED


@one_database
async def test_setting_up_needs_the_password(sign_up: SignIn) -> None:
    alice = await sign_up("alice")
    refused = await alice.client.post("/auth/second-factor", json={"password": "a stolen token only"})
    assert outcome(refused) == (422, 42210)


async def test_a_code_counts_once_also_when_it_is_sent_many_times_at_once(
    client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    enrolled = await enrol(await sign_up("alice"))
    challenges = [await challenge(client, "alice") for _ in range(6)]
    code = next_code(enrolled.secret)
    responses = await asyncio.gather(*(answer(client, given, code) for given in challenges))
    assert sorted(response.status_code for response in responses) == [200] + [401] * 5
    # An older one does not count after it either, though it is within the drift.
    assert outcome(await answer(client, challenges[0], code_now(enrolled.secret))) == FAILED


async def test_a_challenge_counts_once_for_a_while_and_for_one_password(
    client: httpx.AsyncClient, connect: Connect, sign_up: SignIn
) -> None:
    enrolled = await enrol(await sign_up("alice"))
    other = await enrol(await sign_up("other"))
    given = await challenge(client, "alice")
    assert outcome(await answer(client, given, next_code(other.secret))) == FAILED
    kind, user_id, until, number, seal = given.split(".")
    for forged in (
        "",
        "....",
        f"{kind}.{other.person.id}.{until}.{number}.{seal}",
        f"enrol.{user_id}.{until}.{number}.{seal}",
        f"{kind}.{user_id}.{int(until) + 1}.{number}.{seal}",
        f"{kind}.{user_id}.{until}.{number}x.{seal}",
        f"{kind}.{user_id}.{until}.{number}.{'A' * 43}",
    ):
        assert outcome(await answer(client, forged, next_code(enrolled.secret))) == FAILED
    with clock.travel(seconds=CHALLENGE_SECONDS + 1):
        assert outcome(await answer(client, given, next_code(enrolled.secret))) == FAILED
    assert (await answer(client, given, next_code(enrolled.secret))).status_code == 200
    assert outcome(await answer(client, given, enrolled.recovery_codes[0])) == FAILED
    late = await challenge(client, "alice")
    change = {"old_password": PASSWORD, "new_password": "another battery"}
    assert (await enrolled.person.client.post("/auth/password", json=change)).status_code == 204
    assert outcome(await answer(client, late, enrolled.recovery_codes[0])) == FAILED


async def test_a_recovery_code_counts_once_in_any_spelling(
    client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    enrolled = await enrol(await sign_up("alice"))
    code = enrolled.recovery_codes[3]
    challenges = [await challenge(client, "alice") for _ in range(4)]
    spelled = [code, code.upper(), code.replace("-", " "), code.replace("-", "")]
    responses = await asyncio.gather(
        *(answer(client, given, spelling) for given, spelling in zip(challenges, spelled, strict=True))
    )
    assert sorted(response.status_code for response in responses) == [200, 401, 401, 401]
    state = (await enrolled.person.client.get("/auth/second-factor")).json()["data"]
    assert state["recovery_codes_left"] == 9


# One kind of database is enough here: the counting itself is tested on all of them in test_guesses.py.
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_of_200_parallel_guesses_at_a_code_ten_are_evaluated_and_the_owner_gets_in(
    connect: Connect, sign_up: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled = await enrol(await sign_up("alice"))
    owner = await connect()
    given = await challenge(owner, "alice")
    assert (await answer(owner, given, next_code(enrolled.secret))).status_code == 200
    evaluated: list[str] = []
    accept = second_factor.accept

    async def count(session: Any, user_id: str, code: str) -> bool:
        evaluated.append(code)
        return await accept(session, user_id, code)

    monkeypatch.setattr(second_factor, "accept", count)
    strangers = [await connect(ip=f"198.51.100.{n}") for n in range(1, 21)]
    given = await challenge(strangers[0], "alice")
    wrong = "not one"
    attempts = [answer(strangers[n % 20], given, wrong) for n in range(200)]
    statuses = {response.status_code for response in await asyncio.gather(*attempts)}
    # On a slow machine some wait too long for the database and are told so: they were not evaluated.
    assert statuses <= {401, 503}
    assert 1 <= len(evaluated) <= MAX_GUESSES
    for _ in range(MAX_GUESSES):
        assert outcome(await answer(strangers[1], given, wrong)) == FAILED
    assert len(evaluated) <= MAX_GUESSES
    assert outcome(await answer(strangers[1], given, enrolled.recovery_codes[0])) == FAILED
    known = await challenge(owner, "alice")
    assert (await answer(owner, known, enrolled.recovery_codes[0])).status_code == 200
    with clock.travel(seconds=2 * GUESS_WINDOW_SECONDS):
        late = await challenge(strangers[1], "alice")
        assert (await answer(strangers[1], late, next_code(enrolled.secret))).status_code == 200


@one_database
async def test_a_stolen_token_is_no_way_to_guess_codes(sign_up: SignIn) -> None:
    alice, bob = await sign_up("alice"), await enrol(await sign_up("bob"))
    begun = await alice.client.post("/auth/second-factor", json={"password": PASSWORD})
    secret = begun.json()["data"]["secret"]
    for _ in range(MAX_GUESSES):
        await alice.client.post("/auth/second-factor/confirm", json={"code": "wrong"})
        await bob.person.client.post(
            "/auth/second-factor/disable", json={"password": PASSWORD, "code": "wrong"}
        )
    late = await alice.client.post("/auth/second-factor/confirm", json={"code": code_now(secret)})
    assert outcome(late) == FAILED
    body = {"password": PASSWORD, "code": bob.recovery_codes[0]}
    assert outcome(await bob.person.client.post("/auth/second-factor/disable", json=body)) == FAILED


@pytest.mark.parametrize("change", ["enabled = false", "password_hash = 'another'"])
async def test_an_account_that_changes_while_the_code_is_on_its_way_is_not_signed_in(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    enrolled = await enrol(await sign_up("alice"))
    given = await challenge(client, "alice")
    reserve = guess.reserve

    async def change_then_reserve(subject: str) -> bool:
        async with app.resources.database.engine.begin() as connection:
            await connection.execute(text(f"update account_user set {change} where username = 'alice'"))
        return await reserve(subject)

    monkeypatch.setattr(guess, "reserve", change_then_reserve)
    assert outcome(await answer(client, given, enrolled.recovery_codes[0])) == FAILED


@one_database
async def test_taking_it_away_needs_password_and_code(client: httpx.AsyncClient, sign_up: SignIn) -> None:
    enrolled = await enrol(await sign_up("alice"))
    own = enrolled.person.client
    for path in ("/auth/second-factor/disable", "/auth/second-factor/recovery-codes"):
        body = {"password": "wrong", "code": enrolled.recovery_codes[0]}
        assert outcome(await own.post(path, json=body)) == (422, 42210)
        body = {"password": PASSWORD, "code": "no code"}
        assert outcome(await own.post(path, json=body)) == FAILED
    body = {"password": PASSWORD, "code": enrolled.recovery_codes[0]}
    fresh = (await own.post("/auth/second-factor/recovery-codes", json=body)).json()["data"]["recovery_codes"]
    assert not set(fresh) & set(enrolled.recovery_codes)
    stale = {"password": PASSWORD, "code": enrolled.recovery_codes[1]}
    assert outcome(await own.post("/auth/second-factor/disable", json=stale)) == FAILED
    body = {"password": PASSWORD, "code": fresh[0]}
    assert (await own.post("/auth/second-factor/disable", json=body)).status_code == 204
    login = await client.post("/auth/login", json={"username": "alice", "password": PASSWORD})
    assert "access_token" in login.json()["data"]


@one_database
async def test_an_administrator_takes_it_away_from_who_has_lost_it(
    client: httpx.AsyncClient, sign_up: SignIn, chief: Person
) -> None:
    enrolled = await enrol(await sign_up("alice"))
    path = f"/api/v1/users/{enrolled.person.id}/second-factor"
    assert (await enrolled.person.client.delete(path)).status_code == 403
    pending = await challenge(client, "alice")
    for _ in range(2):
        assert (await chief.client.delete(path)).status_code == 204
    assert (await chief.client.delete("/api/v1/users/unknown/second-factor")).status_code == 404
    assert outcome(await answer(client, pending, next_code(enrolled.secret))) == FAILED
    login = await client.post("/auth/login", json={"username": "alice", "password": PASSWORD})
    assert "access_token" in login.json()["data"]


async def test_a_role_that_requires_it_lets_nobody_in_without(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    alice = await sign_up("alice")
    app.resources.access.replace_roles({"user": {"profile:read"}}, second_factor={"user"})
    # A session that began before cannot be prolonged.
    refresh = {"refresh_token": alice.refresh_token}
    assert (await client.post("/auth/refresh", json=refresh)).status_code == 401
    given = await challenge(client, "alice", "enrol")
    assert outcome(await answer(client, given, "000000")) == FAILED
    proposed = await client.post("/auth/login/enrolment", json={"challenge": given})
    assert proposed.status_code == 200
    secret = proposed.json()["data"]["secret"]
    body = {"challenge": given, "code": "no code"}
    assert outcome(await client.post("/auth/login/enrolment/confirm", json=body)) == FAILED
    body = {"challenge": given, "code": code_now(secret)}
    confirmed = await client.post("/auth/login/enrolment/confirm", json=body)
    assert confirmed.status_code == 200, confirmed.text
    data = confirmed.json()["data"]
    assert len(data["recovery_codes"]) == 10
    assert (await client.post("/auth/refresh", json=refresh)).status_code == 401
    refresh = {"refresh_token": data["refresh_token"]}
    assert (await client.post("/auth/refresh", json=refresh)).status_code == 200
    assert outcome(await client.post("/auth/login/enrolment/confirm", json=body)) == FAILED
    again = await client.post("/auth/login/enrolment", json={"challenge": given})
    assert again.status_code == 409
    given = await challenge(client, "alice")
    assert (await answer(client, given, data["recovery_codes"][0])).status_code == 200


async def test_nothing_is_kept_in_clear_and_a_copied_row_lets_nobody_in(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    alice, mallory = await enrol(await sign_up("alice")), await enrol(await sign_up("mallory"))
    engine = app.resources.database.engine
    async with engine.begin() as connection:
        found = str((await connection.execute(text("select * from account_second_factor"))).all())
        found += str((await connection.execute(text("select * from account_recovery_code"))).all())
        for secret in (alice.secret, *alice.recovery_codes):
            assert secret not in found
            assert secret.replace("-", "") not in found
        await connection.execute(
            text(
                "update account_second_factor set secret = (select secret from account_second_factor where user_id = :own)"
                " where user_id = :other"
            ),
            {"own": mallory.person.id, "other": alice.person.id},
        )
        await connection.execute(
            text("update account_recovery_code set user_id = :other where user_id = :own"),
            {"own": mallory.person.id, "other": alice.person.id},
        )
    given = await challenge(client, "alice")
    assert outcome(await answer(client, given, next_code(mallory.secret))) == FAILED
    assert outcome(await answer(client, given, mallory.recovery_codes[0])) == FAILED
    assert (await answer(client, given, alice.recovery_codes[0])).status_code == 200

"""One's own profile and sessions: what is seen, what can be ended, and that other people's do not exist."""

import httpx
import pytest

from tests.conftest import PASSWORD
from tests.modules.account.conftest import Person, SignIn
from xumi.kernel import clock
from xumi.modules.account.constants import MAX_GUESSES
from xumi.modules.account.service import signin

NEW = "another battery staple"


async def status(person: Person) -> int:
    return (await person.client.get(f"/auth/profile/{person.id}")).status_code


async def refreshes(person: Person) -> bool:
    response = await person.client.post("/auth/refresh", json={"refresh_token": person.refresh_token})
    if response.status_code == 200:
        data = response.json()["data"]
        person.access_token, person.refresh_token = data["access_token"], data["refresh_token"]
        person.client.headers["Authorization"] = f"Bearer {person.access_token}"
    return response.status_code == 200


async def listed(person: Person) -> list[dict[str, object]]:
    items: list[dict[str, object]] = (await person.client.get("/auth/sessions")).json()["data"]["items"]
    return items


async def change(person: Person, old: str, new: str) -> httpx.Response:
    return await person.client.post("/auth/password", json={"old_password": old, "new_password": new})


async def test_a_profile_is_its_owners_and_the_administrators(sign_up: SignIn, chief: Person) -> None:
    alice, bob = await sign_up("alice"), await sign_up("bob")
    own = await alice.client.get(f"/auth/profile/{alice.id}")
    assert own.status_code == 200
    assert own.json()["data"]["email"] == "alice@example.com"
    assert (await chief.client.get(f"/auth/profile/{alice.id}")).json()["data"] == own.json()["data"]
    others, nobodys = [await bob.client.get(f"/auth/profile/{of}") for of in (alice.id, "0" * 26)]
    assert others.status_code == nobodys.status_code == 404
    assert others.json()["code"] == nobodys.json()["code"]


async def test_sessions_are_listed_with_where_they_are(sign_up: SignIn, sign_in: SignIn) -> None:
    await sign_up("bob")
    alice = await sign_up("alice")
    phone = await sign_in("alice", ip="203.0.113.9", headers={"User-Agent": "Phone/1.0 " + "x" * 300})
    items = await listed(phone)
    assert [item["current"] for item in items] == [True, False]
    assert items[0]["ip"] == "203.0.113.9"
    assert str(items[0]["user_agent"]).startswith("Phone/1.0 x")
    assert len(str(items[0]["user_agent"])) == 200
    assert {item["id"] for item in items} == {item["id"] for item in await listed(alice)}


async def test_logout_ends_this_session_only(sign_up: SignIn, sign_in: SignIn) -> None:
    alice, phone = await sign_up("alice"), await sign_in("alice")
    response = await alice.client.post("/auth/logout")
    assert (response.status_code, response.content) == (204, b"")
    assert await status(alice) == 401
    assert not await refreshes(alice)
    assert await status(phone) == 200
    assert len(await listed(phone)) == 1


async def test_one_session_is_ended_from_another(sign_up: SignIn, sign_in: SignIn) -> None:
    alice, phone = await sign_up("alice"), await sign_in("alice")
    (lost,) = [item["id"] for item in await listed(alice) if not item["current"]]
    assert (await alice.client.delete(f"/auth/sessions/{lost}")).status_code == 204
    assert await status(phone) == 401
    assert not await refreshes(phone)
    assert await status(alice) == 200
    assert (await alice.client.delete(f"/auth/sessions/{lost}")).status_code == 404


async def test_other_peoples_sessions_do_not_exist(sign_up: SignIn, chief: Person) -> None:
    alice, bob = await sign_up("alice"), await sign_up("bob")
    (session,) = await listed(alice)
    for stranger in (bob, chief):
        assert (await stranger.client.delete(f"/auth/sessions/{session['id']}")).status_code == 404
    assert await status(alice) == 200


async def test_all_other_sessions_are_ended_at_once(sign_up: SignIn, sign_in: SignIn) -> None:
    alice, bob = await sign_up("alice"), await sign_up("bob")
    others = [await sign_in("alice") for _ in range(3)]
    assert (await alice.client.delete("/auth/sessions")).status_code == 204
    assert [await status(other) for other in others] == [401, 401, 401]
    assert await status(alice) == await status(bob) == 200
    assert len(await listed(alice)) == 1


async def test_an_expired_session_is_not_listed(sign_up: SignIn, sign_in: SignIn) -> None:
    await sign_up("alice")
    with clock.travel(seconds=14 * 86_400 + 1):
        later = await sign_in("alice")
        assert [item["current"] for item in await listed(later)] == [True]


async def test_a_new_password_ends_everything_but_this_session(sign_up: SignIn, sign_in: SignIn) -> None:
    alice, phone, bob = await sign_up("alice"), await sign_in("alice"), await sign_up("bob")
    response = await change(alice, PASSWORD, NEW)
    assert (response.status_code, response.content) == (204, b"")
    expired = await alice.client.get(f"/auth/profile/{alice.id}")
    assert (expired.status_code, expired.json()["code"]) == (401, 40102)
    assert await refreshes(alice)
    assert await status(alice) == 200
    assert await status(phone) == 401
    assert not await refreshes(phone)
    assert await status(bob) == 200
    login = {"username": "alice", "password": PASSWORD}
    assert (await bob.client.post("/auth/login", json=login)).status_code == 401
    await sign_in("alice", NEW)


async def test_a_new_password_makes_known_devices_strangers(
    sign_up: SignIn, sign_in: SignIn, client: httpx.AsyncClient
) -> None:
    alice, phone = await sign_up("alice"), await sign_in("alice")
    await change(alice, PASSWORD, NEW)
    for n in range(MAX_GUESSES):
        await client.post("/auth/login", json={"username": "alice", "password": f"guess {n}"})
    login = {"username": "alice", "password": NEW}
    assert (await phone.client.post("/auth/login", json=login)).status_code == 401


async def test_a_password_is_changed_only_with_the_old_one_and_to_an_accepted_one(sign_up: SignIn) -> None:
    alice = await sign_up("longusername")
    wrong = await change(alice, "not the password", NEW)
    assert (wrong.status_code, wrong.json()["code"]) == (422, 42210)
    for weak in ("short", "password", "LongUserName", "longusername@example.com"):
        refused = await change(alice, PASSWORD, weak)
        assert refused.status_code == 422
        assert [error["field"] for error in refused.json()["errors"]] == ["new_password"]
    assert await status(alice) == 200


async def test_of_two_who_change_a_password_at_once_one_succeeds(
    sign_up: SignIn, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, phone = await sign_up("alice"), await sign_in("alice")
    hash_password = signin.hash_password

    async def be_overtaken(given: str) -> str:
        monkeypatch.setattr(signin, "hash_password", hash_password)
        assert (await change(phone, PASSWORD, "the faster password")).status_code == 204
        return await hash_password(given)

    monkeypatch.setattr(signin, "hash_password", be_overtaken)
    assert (await change(alice, PASSWORD, NEW)).status_code == 422
    await sign_in("alice", "the faster password")


async def test_a_stolen_session_does_not_guess_the_password(sign_up: SignIn) -> None:
    alice = await sign_up("alice")
    for n in range(MAX_GUESSES):
        assert (await change(alice, f"guess {n}", NEW)).status_code == 422
    assert (await change(alice, PASSWORD, NEW)).status_code == 422

"""API keys: what one may do, who may see and end them, and that no more than their owners may is ever allowed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.modules.account.conftest import Person, SignIn
from tests.modules.apikey.conftest import Keys
from xumi.api import Application
from xumi.kernel import clock
from xumi.kernel.auth.apikey import is_well_formed, make_key
from xumi.modules.apikey.constants import DEFAULT_DAYS, MAX_DAYS
from xumi.modules.apikey.service import key as key_service

# Where what is tested does not depend on the database.
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_key_calls_for_its_owner_with_its_own_permissions_only(sign_up: SignIn, keys: Keys) -> None:
    alice = await sign_up("alice")
    made = await keys.make(alice, "poster:add", "profile:read")
    machine = await keys.machine(made["key"])
    poster = await machine.post("/poster/add", json={"title": "a", "content": "b"})
    assert poster.status_code == 201
    assert (await machine.get(f"/auth/profile/{alice.id}")).json()["data"]["username"] == "alice"
    assert (await machine.get("/auth/sessions")).status_code == 403
    assert (await machine.get("/auth/api-keys")).status_code == 403


@one_database
async def test_a_key_is_sent_in_three_ways(sign_up: SignIn, keys: Keys, client: httpx.AsyncClient) -> None:
    alice = await sign_up("alice")
    key = (await keys.make(alice, "profile:read"))["key"]
    ways: list[dict[str, Any]] = [
        {"headers": {"Authorization": f"Bearer {key}"}},
        {"auth": (key, "")},
        {"headers": {"X-API-Key": key}},
    ]
    for way in ways:
        assert (await client.get(f"/auth/profile/{alice.id}", **way)).status_code == 200
        wrong = {name: {"X-API-Key": f"{key}0"} if name == "headers" else ("xumi_", "") for name in way}
        assert (await client.get(f"/auth/profile/{alice.id}", **wrong)).status_code == 401


async def test_a_key_is_shown_once_and_kept_as_a_hash(
    app: Application, sign_up: SignIn, keys: Keys, chief: Person
) -> None:
    alice = await sign_up("alice")
    made = await keys.make(alice, "poster:list", networks=["192.0.2.7/24"])
    assert set(made) == {"id", "key", "expires_at"}
    assert is_well_formed(made["key"])
    (own,) = (await alice.client.get("/auth/api-keys")).json()["data"]["items"]
    (all_,) = (await chief.client.get("/api/v1/api-keys")).json()["data"]["items"]
    assert own == all_
    assert (own["prefix"], own["networks"], own["revoked_at"]) == (made["key"][:11], ["192.0.2.0/24"], None)
    async with app.resources.database.engine.connect() as connection:
        row = (await connection.execute(text("select * from apikey_key"))).one()
    assert made["key"] not in str(row)
    lasts = datetime.fromisoformat(own["expires_at"]) - datetime.fromisoformat(own["created_at"])
    assert lasts == timedelta(days=DEFAULT_DAYS)


@one_database
async def test_what_is_changed_is_recorded_once_and_without_the_key(
    sign_up: SignIn, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[Any] = []
    monkeypatch.setattr(key_service, "record", lambda session, *what: recorded.append(what))
    alice = await sign_up("alice")
    made = await keys.make(alice, "poster:list")
    for _ in range(2):
        assert (await alice.client.delete(f"/auth/api-keys/{made['id']}")).status_code == 204
    (created, revoked) = recorded
    assert created[:3] == ("apikey.created", f"apikey:{made['id']}", None)
    assert revoked == ("apikey.revoked", f"apikey:{made['id']}", created[3], None)
    assert created[3]["permissions"] == ["poster:list"]
    assert made["key"] not in str(recorded)


WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"permissions": ["user:list"]}, 403, "permissions"),
    ({"permissions": ["no:such"]}, 422, "permissions"),
    ({"permissions": ["*"]}, 422, "permissions"),
    ({"permissions": ["password:change"]}, 422, "permissions"),
    ({"permissions": ["apikey:create"]}, 422, "permissions"),
    ({"permissions": []}, 422, "permissions"),
    ({"expires_in_days": 0}, 422, "expires_in_days"),
    ({"expires_in_days": MAX_DAYS + 1}, 422, "expires_in_days"),
    ({"networks": ["somewhere"]}, 422, "networks.0"),
    ({"name": ""}, 422, "name"),
    ({"user_id": "somebody"}, 422, "user_id"),
    ({"digest": "x"}, 422, "digest"),
]


@one_database
async def test_a_wrong_request_names_what_is_wrong(sign_up: SignIn) -> None:
    alice = await sign_up("alice")
    for body, status, field in WRONG:
        right = {"name": "n", "permissions": ["poster:list"]}
        response = await alice.client.post("/auth/api-keys", json=right | body)
        assert response.status_code == status, (body, response.text)
        assert {error["field"] for error in response.json()["errors"]} == {field}
    assert (await alice.client.get("/auth/api-keys")).json()["data"]["items"] == []


@one_database
async def test_even_an_administrators_key_cannot_change_how_he_gets_in(
    chief: Person, keys: Keys, client: httpx.AsyncClient
) -> None:
    for permission in ("password:change", "session:end", "apikey:revoke-all"):
        body = {"name": "n", "permissions": [permission]}
        assert (await chief.client.post("/auth/api-keys", json=body)).status_code == 422
    machine = await keys.machine((await keys.make(chief, "user:list"))["key"])
    assert (await machine.get("/api/v1/users")).status_code == 200
    assert (await machine.post("/auth/api-keys", json={})).status_code == 403


@one_database
async def test_other_peoples_keys_do_not_exist(sign_up: SignIn, keys: Keys) -> None:
    alice, mallory = await sign_up("alice"), await sign_up("mallory")
    made = await keys.make(alice, "profile:read")
    assert (await mallory.client.get("/auth/api-keys")).json()["data"]["items"] == []
    assert (await mallory.client.delete(f"/auth/api-keys/{made['id']}")).status_code == 404
    assert (await mallory.client.delete(f"/api/v1/api-keys/{made['id']}")).status_code == 403
    assert (await (await keys.machine(made["key"])).get(f"/auth/profile/{alice.id}")).status_code == 200


async def test_an_administrator_finds_and_ends_any_key(chief: Person, sign_up: SignIn, keys: Keys) -> None:
    alice, bob = await sign_up("alice"), await sign_up("bob")
    made, others = await keys.make(alice, "profile:read"), await keys.make(bob, "profile:read")
    page = (await chief.client.get("/api/v1/api-keys", params={"user_id": alice.id})).json()["data"]
    assert [item["id"] for item in page["items"]] == [made["id"]]
    assert (await chief.client.delete(f"/api/v1/api-keys/{made['id']}")).status_code == 204
    assert (await chief.client.delete("/api/v1/api-keys/unknown")).status_code == 404
    assert (await (await keys.machine(made["key"])).get(f"/auth/profile/{alice.id}")).status_code == 401
    assert (await (await keys.machine(others["key"])).get(f"/auth/profile/{bob.id}")).status_code == 200


@one_database
async def test_a_key_expires(sign_up: SignIn, keys: Keys) -> None:
    alice = await sign_up("alice")
    made = await keys.make(alice, "profile:read", expires_in_days=1)
    machine = await keys.machine(made["key"])
    end = datetime.fromisoformat(made["expires_at"])
    with clock.travel(to=end - timedelta(seconds=5)) as journey:
        assert (await machine.get(f"/auth/profile/{alice.id}")).status_code == 200
        journey.move(seconds=6)
        refused = await machine.get(f"/auth/profile/{alice.id}")
    assert (refused.status_code, refused.json()["code"]) == (401, 40102)
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


@one_database
async def test_a_key_counts_from_its_networks_only(sign_up: SignIn, keys: Keys) -> None:
    alice = await sign_up("alice")
    key = (await keys.make(alice, "profile:read", networks=["192.0.2.0/24", "2001:db8::1"]))["key"]
    seen = {}
    for ip in ("192.0.2.9", "2001:db8::1", "192.0.3.9", "2001:db8::2", "127.0.0.1"):
        seen[ip] = (await (await keys.machine(key, ip=ip)).get(f"/auth/profile/{alice.id}")).status_code
    assert list(seen.values()) == [200, 200, 403, 403, 403]


async def test_an_account_has_so_many_keys_also_when_all_are_made_at_once(
    chief: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_service, "MAX_KEYS", 3)
    body = {"name": "n", "permissions": ["user:list"]}
    responses = await asyncio.gather(*(chief.client.post("/auth/api-keys", json=body) for _ in range(8)))
    statuses = sorted(response.status_code for response in responses)
    assert statuses == [201] * 3 + [409] * 5
    (made, *_) = [response.json()["data"] for response in responses if response.status_code == 201]
    await chief.client.delete(f"/auth/api-keys/{made['id']}")
    assert (await chief.client.post("/auth/api-keys", json=body)).status_code == 201


@one_database
async def test_when_a_key_was_used_is_written_beside_the_requests(
    app: Application, sign_up: SignIn, keys: Keys
) -> None:
    alice = await sign_up("alice")
    made = await keys.make(alice, "profile:read")
    machine = await keys.machine(made["key"])
    before = datetime.now(UTC)
    await machine.get(f"/auth/profile/{alice.id}")
    while True:
        (item,) = (await alice.client.get("/auth/api-keys")).json()["data"]["items"]
        if item["last_used_at"] is not None:
            break
        await asyncio.sleep(0.05)
    assert before <= datetime.fromisoformat(item["last_used_at"]) <= datetime.now(UTC)


@one_database
async def test_who_has_just_been_disabled_makes_no_key(app: Application, sign_up: SignIn) -> None:
    alice = await sign_up("alice")
    async with app.resources.database.engine.begin() as connection:
        # As another worker does it, of which this one has not heard yet.
        await connection.execute(text("update account_user set enabled = false where username = 'alice'"))
    body = {"name": "n", "permissions": ["profile:read"]}
    assert (await alice.client.post("/auth/api-keys", json=body)).status_code == 401


async def test_keys_of_a_deleted_account_are_gone(chief: Person, sign_up: SignIn, keys: Keys) -> None:
    alice = await sign_up("alice")
    machine = await keys.machine((await keys.make(alice, "poster:list"))["key"])
    await chief.client.delete(f"/api/v1/users/{alice.id}")
    assert (await machine.get("/poster/list")).status_code in (401, 503)
    assert (await chief.client.get("/api/v1/api-keys")).json()["data"]["items"] == []


def test_no_two_keys_are_alike_and_each_has_its_checksum() -> None:
    made = {make_key() for _ in range(1000)}
    assert len(made) == 1000
    assert all(is_well_formed(key) for key in made)
    key = make_key()
    assert not is_well_formed(key[:10] + ("a" if key[10] != "a" else "b") + key[11:])
    for wrong in ("", "xumi_", key + "0", key[:-1], key.upper(), key + "\n", "xumi_" + "é" * 40):
        assert not is_well_formed(wrong)

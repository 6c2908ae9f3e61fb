"""Everybody's sessions: who is online, from which device, and that an administrator ends one or all of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import event

from tests.modules.account.conftest import Connect, Person, SignIn, told
from xumi.api import Application, create_app
from xumi.kernel import clock, copies
from xumi.kernel.config import Settings
from xumi.kernel.log import capture
from xumi.kernel.testing.client import running
from xumi.modules.account.constants import ONLINE_SECONDS, PRESENCE_INTERVAL_SECONDS
from xumi.modules.account.service import presence
from xumi.modules.account.service.online import describe_device
from xumi.modules.account.service.presence import write_seen
from xumi.modules.account.service.watch import EndedAccess

pytestmark = pytest.mark.databases("sqlite")
EVERYWHERE = pytest.mark.databases("sqlite", "postgresql")
"""What databases do in ways of their own: locks, conditional updates, upserts."""


async def listed(person: Person, **query: Any) -> list[dict[str, Any]]:
    response = await person.client.get("/api/v1/sessions", params=query)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["data"]["items"]
    return items


async def status(person: Person) -> int:
    return (await person.client.get(f"/auth/profile/{person.id}")).status_code


@pytest.fixture
async def second(
    app: Application, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Application]:
    """Another worker on the same database, which looks at what has ended only when a test says so."""
    monkeypatch.setattr(copies, "POLL_SECONDS", 3600)
    other = create_app(settings)
    async with running(other):
        yield other


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36", "Chrome on Windows"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15; V2307A) Chrome/116.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.54", "WeChat on Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        ("curl/8.11.0", "curl"),
        ("<script>alert(1)</script>", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_a_device_is_called_what_people_call_it(user_agent: str, device: str) -> None:
    assert describe_device(user_agent) == device


@EVERYWHERE
async def test_sessions_are_listed_with_who_where_and_when(
    app: Application, sign_up: SignIn, sign_in: SignIn, chief: Person
) -> None:
    await sign_up("alice")
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
    alice = await sign_in("alice", ip="203.0.113.9", headers={"User-Agent": agent})
    (item,) = await listed(chief, ip="203.0.113.9")
    assert {name: item[name] for name in ("user_id", "username", "device", "ip")} == {
        "user_id": alice.id,
        "username": "alice",
        "device": "Firefox on Linux",
        "ip": "203.0.113.9",
    }
    assert item["since"] == item["last_seen_at"]
    assert len(await listed(chief, username="ALI")) == 2
    assert len(await listed(chief, user_id=chief.id)) == 1
    assert [one["username"] for one in await listed(chief, sort="username")] == ["admin", "alice", "alice"]
    assert (await alice.client.get("/api/v1/sessions")).status_code == 403
    refused = await chief.client.get("/api/v1/sessions", params={"sort": "device"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "sort")


@EVERYWHERE
async def test_last_seen_is_kept_without_a_query_on_the_way_and_written_together(
    app: Application, sign_up: SignIn, chief: Person
) -> None:
    alice, bob = await sign_up("alice"), await sign_up("bob")
    statements: list[str] = []
    with clock.travel() as journey:
        await write_seen(app.resources)
        journey.move(seconds=ONLINE_SECONDS + 1)
        assert await listed(chief, online=True) == []
        engine = app.resources.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        assert await status(alice) == 200
        assert (await bob.client.get("/api/v1/users")).status_code == 403
        assert (await chief.client.get("/api/v1/users")).status_code == 200
        assert statements == []
        await write_seen(app.resources)
        assert len([text for text in statements if text.startswith("UPDATE account_session")]) == 1
        assert {one["username"] for one in await listed(chief, online=True)} == {"alice", "bob", "admin"}
        # Another worker has just written the same sessions: nothing to do.
        await status(alice)
        await write_seen(app.resources)
        assert len([text for text in statements if text.startswith("UPDATE account_session")]) == 1
        await status(alice)
        journey.move(seconds=PRESENCE_INTERVAL_SECONDS + 1)
        await write_seen(app.resources)
        assert len([text for text in statements if text.startswith("UPDATE account_session")]) == 2


async def test_what_was_seen_is_written_by_itself_and_when_the_process_stops(
    app: Application,
    settings: Settings,
    chief: Person,
    sign_up: SignIn,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = await sign_up("alice")
    with clock.travel(seconds=ONLINE_SECONDS + 1):
        other = create_app(settings)
        async with running(other):
            client = await connect(other, headers={"Authorization": f"Bearer {alice.access_token}"})
            assert (await client.get(f"/auth/profile/{alice.id}")).status_code == 200
        assert [one["username"] for one in await listed(chief, online=True)] == ["alice"]
    monkeypatch.setattr(presence, "PRESENCE_INTERVAL_SECONDS", 0.01)
    with clock.travel(seconds=2 * ONLINE_SECONDS + 2):
        third = create_app(settings)
        async with running(third):
            client = await connect(third, headers={"Authorization": f"Bearer {alice.access_token}"})
            assert (await client.get(f"/auth/profile/{alice.id}")).status_code == 200
            while [one["username"] for one in await listed(chief, online=True)] != ["alice"]:
                await asyncio.sleep(0.01)


async def test_a_failed_write_is_told_and_does_no_harm(
    app: Application, chief: Person, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr(presence, "write_seen", fail)
    monkeypatch.setattr(presence, "PRESENCE_INTERVAL_SECONDS", 0.001)
    other = create_app(settings.model_copy(update={"log_level": "WARNING"}))
    with capture() as said:
        async with running(other):
            while len(said) < 2:
                await asyncio.sleep(0.001)
    assert {record["level"] for record in said if "seen" in record["message"]} == {"warning"}
    assert said[-1]["message"] == "when sessions were seen could not be written"


@EVERYWHERE
async def test_an_administrator_ends_one_session_everywhere(
    app: Application, second: Application, connect: Connect, sign_up: SignIn, sign_in: SignIn, chief: Person
) -> None:
    alice, phone = await sign_up("alice"), await sign_in("alice", ip="203.0.113.9")
    (item,) = await listed(chief, ip="203.0.113.9")
    assert (await chief.client.delete(f"/api/v1/sessions/{item['id']}")).status_code == 204
    (noted,) = await told(app, "session.ended")
    assert noted.subject == f"session:{item['id']}"
    assert (noted.before, noted.actor_id) == ({"user_id": alice.id, "ip": "203.0.113.9"}, chief.id)
    assert (await status(phone), await status(alice)) == (401, 200)
    refreshed = await phone.client.post("/auth/refresh", json={"refresh_token": phone.refresh_token})
    assert refreshed.status_code == 401
    elsewhere = await connect(second, headers={"Authorization": f"Bearer {phone.access_token}"})
    with second.resources.context("test"):
        await EndedAccess(second.resources).look()
    assert (await elsewhere.get(f"/auth/profile/{alice.id}")).status_code == 401
    assert (await chief.client.delete(f"/api/v1/sessions/{item['id']}")).status_code == 404


@EVERYWHERE
async def test_an_administrator_ends_all_sessions_of_a_user(
    app: Application, sign_up: SignIn, sign_in: SignIn, chief: Person
) -> None:
    alice, phone, bob = await sign_up("alice"), await sign_in("alice"), await sign_up("bob")
    assert (await chief.client.delete(f"/api/v1/users/{alice.id}/sessions")).status_code == 204
    assert [await status(one) for one in (alice, phone, bob)] == [401, 401, 200]
    refreshed = await phone.client.post("/auth/refresh", json={"refresh_token": phone.refresh_token})
    assert refreshed.status_code == 401
    assert await listed(chief, user_id=alice.id) == []
    assert (await chief.client.delete(f"/api/v1/users/{'0' * 26}/sessions")).status_code == 404
    assert await status(await sign_in("alice")) == 200


async def test_who_is_no_administrator_does_not_throw_one_out(
    app: Application, sign_up: SignIn, chief: Person
) -> None:
    app.resources.access.replace_roles(
        {"admin": {"*"}, "user": {"online:list", "online:end", "profile:read"}}
    )
    alice, bob = await sign_up("alice"), await sign_up("bob")
    (own,) = await listed(alice, user_id=chief.id)
    assert (await alice.client.delete(f"/api/v1/sessions/{own['id']}")).status_code == 403
    assert (await alice.client.delete(f"/api/v1/users/{chief.id}/sessions")).status_code == 403
    assert await status(chief) == 200
    assert (await alice.client.delete(f"/api/v1/users/{bob.id}/sessions")).status_code == 204
    assert await status(bob) == 401

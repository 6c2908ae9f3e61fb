"""Keys on every worker: what is made, revoked, or changes with its owner counts there within a look, without SQL by requests."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from tests.modules.account.conftest import Person, SignIn
from tests.modules.apikey.conftest import Keys
from xumi.api import Application, create_app
from xumi.kernel import clock, copies
from xumi.kernel.auth.apikey import make_key
from xumi.kernel.config import Settings
from xumi.kernel.log import capture
from xumi.kernel.testing.client import running
from xumi.modules.account.service.watch import EndedAccess
from xumi.modules.apikey.constants import KEEP_DAYS, USE_INTERVAL_SECONDS
from xumi.modules.apikey.service import follow
from xumi.modules.apikey.service.follow import ValidKeys, prune

# Where what is tested does not depend on the database.
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers look at the tables only when a test says so."""
    monkeypatch.setattr(copies.Copies, "run", lambda self: asyncio.sleep(3600))


@pytest.fixture
async def second(app: Application, settings: Settings) -> AsyncIterator[Application]:
    """Another worker on the same database."""
    other = create_app(settings)
    async with running(other):
        yield other


class Worker:
    """A worker's two looks."""

    def __init__(self, app: Application) -> None:
        self.app = app
        with app.resources.context("test"):
            self.ended, self.keys = EndedAccess(app.resources), ValidKeys(app.resources)

    async def watch(self) -> None:
        with self.app.resources.context("test"):
            await self.ended.look()

    async def follow(self) -> None:
        with self.app.resources.context("test"):
            await self.keys.look()


ENDINGS: dict[str, Any] = {
    "revoked": lambda bob, chief, made: bob.client.delete(f"/auth/api-keys/{made['id']}"),
    "disabled": lambda bob, chief, made: chief.client.post(f"/api/v1/users/{bob.id}/disable"),
    "deleted": lambda bob, chief, made: chief.client.delete(f"/api/v1/users/{bob.id}"),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_key_ends_on_every_worker(
    app: Application, second: Application, chief: Person, sign_up: SignIn, keys: Keys, ending: str
) -> None:
    bob, carol = await sign_up("bob"), await sign_up("carol")
    made, others = await keys.make(bob, "profile:read"), await keys.make(carol, "profile:read")
    path, other = f"/auth/profile/{bob.id}", Worker(second)
    assert await keys.status(made["key"], second, path) == 401
    await other.follow()
    assert await keys.status(made["key"], second, path) == 200
    assert (await ENDINGS[ending](bob, chief, made)).status_code == 204
    # The change of access alone ends it; the next look only forgets it.
    await other.watch()
    assert await keys.status(made["key"], second, path) in (401, 503)
    await other.follow()
    assert await keys.status(made["key"], second, path) == 401
    assert await keys.status(others["key"], second, f"/auth/profile/{carol.id}") == 200
    assert not second.resources.api_keys.has(made["id"])


@one_database
async def test_on_the_worker_that_ends_it_a_key_ends_at_once(
    app: Application, chief: Person, sign_up: SignIn, keys: Keys
) -> None:
    bob = await sign_up("bob")
    for ending in ("revoked", "disabled"):
        key = await keys.make(bob, "profile:read")
        assert await keys.status(key["key"], app, f"/auth/profile/{bob.id}") == 200
        await ENDINGS[ending](bob, chief, key)
        assert await keys.status(key["key"], app, f"/auth/profile/{bob.id}") in (401, 503)


async def test_a_key_loses_what_its_owner_loses_and_gets_no_more_than_it_was_given(
    app: Application, chief: Person, sign_up: SignIn, sign_in: SignIn, keys: Keys
) -> None:
    bob, worker = await sign_up("bob"), Worker(app)

    async def give(*roles: str) -> None:
        await chief.client.patch(f"/api/v1/users/{bob.id}", json={"roles": roles})
        await worker.follow()

    await give("admin")
    key = (await keys.make(await sign_in("bob"), "user:list"))["key"]
    seen = []
    for roles in (["admin"], ["user"], ["admin", "user"]):
        await give(*roles)
        seen.append((await keys.status(key, app, "/api/v1/users"), await keys.status(key, app)))
    assert seen == [(200, 403), (403, 403), (200, 403)]


@one_database
async def test_an_owner_who_is_enabled_again_has_his_keys_back(
    app: Application, chief: Person, sign_up: SignIn, keys: Keys
) -> None:
    bob, worker = await sign_up("bob"), Worker(app)
    made = await keys.make(bob, "profile:read")
    path = f"/auth/profile/{bob.id}"
    await chief.client.post(f"/api/v1/users/{bob.id}/disable")
    await worker.follow()
    assert await keys.status(made["key"], app, path) == 401
    await chief.client.post(f"/api/v1/users/{bob.id}/enable")
    await worker.follow()
    assert await keys.status(made["key"], app, path) == 200


@one_database
async def test_a_changed_owner_is_read_again_soon_and_meanwhile_asked_to_try_again(
    app: Application, sign_up: SignIn, keys: Keys
) -> None:
    bob, worker = await sign_up("bob"), Worker(app)
    made = await keys.make(bob, "profile:read")
    changed = {"old_password": "correct horse battery staple", "new_password": "another battery"}
    assert (await bob.client.post("/auth/password", json=changed)).status_code == 204
    assert not app.resources.api_keys.outdated.is_set()
    assert await keys.status(made["key"], app, f"/auth/profile/{bob.id}") == 503
    assert app.resources.api_keys.outdated.is_set()
    await worker.follow()
    assert await keys.status(made["key"], app, f"/auth/profile/{bob.id}") == 200


@one_database
async def test_a_worker_that_starts_knows_the_valid_keys(
    settings: Settings, sign_up: SignIn, keys: Keys, chief: Person
) -> None:
    bob, gone = await sign_up("bob"), await sign_up("gone")
    valid, revoked = await keys.make(bob, "profile:read"), await keys.make(bob, "profile:read")
    ownerless = await keys.make(gone, "profile:read")
    await bob.client.delete(f"/auth/api-keys/{revoked['id']}")
    await chief.client.post(f"/api/v1/users/{gone.id}/disable")
    late = create_app(settings)
    async with running(late):
        known = late.resources.api_keys
        assert [known.has(key["id"]) for key in (valid, revoked, ownerless)] == [True, False, False]
        assert await keys.status(valid["key"], late, f"/auth/profile/{bob.id}") == 200


async def test_a_key_that_was_committed_late_is_not_missed(
    app: Application, second: Application, sign_up: SignIn, keys: Keys
) -> None:
    bob, other = await sign_up("bob"), Worker(second)
    with clock.travel(seconds=-30):
        made = await keys.make(bob, "profile:read")
    other.keys._seen = clock.now()
    await other.follow()
    assert second.resources.api_keys.has(made["id"])


async def test_no_request_with_a_key_costs_sql_be_it_known_or_invented(
    app: Application, sign_up: SignIn, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await sign_up("bob")
    machine = await keys.machine((await keys.make(bob, "profile:read"))["key"])
    statements: list[str] = []
    runner = app.resources.database.read.runner
    fetch = runner.fetch

    async def see(query: Any) -> Any:
        statements.append(query.sql)
        return await fetch(query)

    monkeypatch.setattr(runner, "fetch", see)
    event.listen(
        app.resources.database.engine.sync_engine, "before_cursor_execute", lambda *a: statements.append(a[2])
    )
    # What is refused for want of a permission was recognised, and nothing else was done.
    assert [(await machine.get("/api/v1/users")).status_code for _ in range(20)] == [403] * 20
    for n in range(60):
        invented = make_key() if n % 2 else f"xumi_{n:040}"
        assert await keys.status(invented, app) == 401
    assert statements == []
    assert len(app.resources.api_keys._grants) == 1
    await machine.get(f"/auth/profile/{bob.id}")
    assert len(statements) == 1


async def test_uses_are_written_once_a_minute_and_at_the_end(
    app: Application, sign_up: SignIn, keys: Keys
) -> None:
    bob, worker = await sign_up("bob"), Worker(app)
    machine = await keys.machine((await keys.make(bob, "profile:read"))["key"])

    async def use_and_write(seconds: float, **options: bool) -> str:
        with clock.travel(seconds=seconds):
            await machine.get(f"/auth/profile/{bob.id}")
            with app.resources.context("test"):
                await worker.keys.write_uses(**options)
        async with app.resources.database.engine.connect() as connection:
            return str(await connection.scalar(text("select last_used_at from apikey_key")))

    first = await use_and_write(0)
    assert first != "None"
    assert await use_and_write(USE_INTERVAL_SECONDS / 2) == first
    later = await use_and_write(USE_INTERVAL_SECONDS + 1)
    assert later > first
    last = await use_and_write(USE_INTERVAL_SECONDS + 2, all_of_them=True)
    assert last > later
    # A worker that was slower does not turn it back.
    assert await use_and_write(1, all_of_them=True) == last


@one_database
async def test_keys_stop_to_count_when_the_table_cannot_be_read_for_a_tokens_life(
    app: Application,
    sign_up: SignIn,
    keys: Keys,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bob, worker = await sign_up("bob"), Worker(app)
    key = (await keys.make(bob, "profile:read"))["key"]
    path = f"/auth/profile/{bob.id}"
    await worker.follow()

    async def fail(*_: object) -> None:
        raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(follow, "fetch_all", fail)
        await worker.follow()
        assert await keys.status(key, app, path) == 200
        with clock.travel(seconds=settings.access_token_seconds + 1), capture("ERROR") as lines:
            for _ in range(2):
                await worker.follow()
            assert await keys.status(key, app, path) == 401
        assert [line["message"] for line in lines] == [
            "API keys cannot be read; new ones are not known, and none counts longer than an access token"
        ]
    await worker.follow()
    assert await keys.status(key, app, path) == 200


@one_database
async def test_keys_that_have_expired_are_forgotten(app: Application, sign_up: SignIn, keys: Keys) -> None:
    bob, known = await sign_up("bob"), app.resources.api_keys
    short = await keys.make(bob, "profile:read", expires_in_days=1)
    long = await keys.make(bob, "profile:read", expires_in_days=2)
    with clock.travel(seconds=86_400 + 60):
        assert known.find_expired() == [short["id"]]
        known.remove([*known.find_expired(), "unknown"])
    assert [known.has(key["id"]) for key in (short, long)] == [False, True]


async def test_keys_that_ended_long_ago_are_deleted(
    app: Application, sign_up: SignIn, keys: Keys, chief: Person
) -> None:
    bob = await sign_up("bob")
    revoked = await keys.make(bob, "profile:read", expires_in_days=366)
    await keys.make(bob, "profile:read", expires_in_days=1)
    valid = await keys.make(bob, "profile:read", expires_in_days=366)
    await bob.client.delete(f"/auth/api-keys/{revoked['id']}")
    for days, left in ((KEEP_DAYS - 1, 3), (KEEP_DAYS + 2, 1)):
        with clock.travel(seconds=timedelta(days=days).total_seconds()), app.resources.context("test"):
            await prune()
        async with app.resources.database.engine.connect() as connection:
            found = (await connection.scalars(text("select id from apikey_key"))).all()
        assert len(found) == left
    assert found == [valid["id"]]


@one_database
async def test_the_follower_runs_by_itself(
    app: Application, settings: Settings, sign_up: SignIn, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(copies, "POLL_SECONDS", 0.01)
    bob, other = await sign_up("bob"), create_app(settings)
    async with running(other):
        made = await keys.make(bob, "profile:read")
        while await keys.status(made["key"], other, f"/auth/profile/{bob.id}") != 200:
            await asyncio.sleep(0.01)

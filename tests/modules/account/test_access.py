"""Access that ended: other workers learn of it, late commits are not missed, and nothing is kept for ever."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from tests.conftest import PASSWORD
from tests.modules.account.conftest import Connect, Person, SignIn
from xumi.api import Application, create_app
from xumi.kernel import clock, copies
from xumi.kernel.config import Settings
from xumi.kernel.db.model import ModelBase
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.log import capture
from xumi.kernel.testing.client import running
from xumi.modules.account.models import AccessChange, Guess, User, UserSession
from xumi.modules.account.service import access, watch
from xumi.modules.account.service.watch import EndedAccess, prune


@pytest.fixture
async def second(
    app: Application, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Application]:
    """Another worker on the same database, which looks at the changes only when a test says so."""
    monkeypatch.setattr(copies, "POLL_SECONDS", 3600)
    other = create_app(settings)
    async with running(other):
        yield other


async def look(worker: Application) -> None:
    """What a worker does every half second."""
    with worker.resources.context("test"):
        await EndedAccess(worker.resources).look()


async def status(person: Person, worker: Application, connect: Connect) -> int:
    client = await connect(worker, headers={"Authorization": f"Bearer {person.access_token}"})
    return (await client.get(f"/auth/profile/{person.id}")).status_code


ENDINGS: dict[str, Any] = {
    "logout": lambda bob, chief: bob.client.post("/auth/logout"),
    "password": lambda bob, chief: bob.client.post(
        "/auth/password", json={"old_password": PASSWORD, "new_password": "another battery"}
    ),
    "disable": lambda bob, chief: chief.client.post(f"/api/v1/users/{bob.id}/disable"),
    "roles": lambda bob, chief: chief.client.patch(
        f"/api/v1/users/{bob.id}", json={"roles": ["admin", "user"]}
    ),
    "reset": lambda bob, chief: chief.client.post(
        f"/api/v1/users/{bob.id}/reset-password", json={"password": "another battery"}
    ),
    "delete": lambda bob, chief: chief.client.delete(f"/api/v1/users/{bob.id}"),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_every_worker_learns_that_access_has_ended(
    app: Application, second: Application, connect: Connect, chief: Person, sign_up: SignIn, ending: str
) -> None:
    bob, carol = await sign_up("bob"), await sign_up("carol")
    await look(second)
    assert await status(bob, second, connect) == 200
    assert (await ENDINGS[ending](bob, chief)).status_code == 204
    assert await status(bob, app, connect) == 401
    assert await status(bob, second, connect) in (200, 404)
    await look(second)
    assert await status(bob, second, connect) == 401
    assert await status(carol, second, connect) == 200


async def test_a_worker_that_starts_knows_what_ended_before(
    app: Application, settings: Settings, connect: Connect, sign_up: SignIn
) -> None:
    bob = await sign_up("bob")
    await bob.client.post("/auth/logout")
    with clock.travel(seconds=settings.access_token_seconds - 5):
        late = create_app(settings)
        async with running(late):
            assert await status(bob, late, connect) == 401


async def test_the_watcher_runs_by_itself(
    app: Application, settings: Settings, connect: Connect, sign_up: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "POLL_SECONDS", 0.01)
    bob, other = await sign_up("bob"), create_app(settings)
    async with running(other):
        await bob.client.post("/auth/logout")
        while await status(bob, other, connect) != 401:
            await asyncio.sleep(0.01)


async def test_a_change_that_was_committed_late_is_not_missed(app: Application, second: Application) -> None:
    with second.resources.context("test"):
        watcher = EndedAccess(second.resources)
        await watcher.look()
        # Its time is when it was made, half a minute before it could be seen.
        async with unit_of_work() as work:
            work.session.add(AccessChange(at=clock.now() - timedelta(seconds=30), user_id="U" * 26, epoch=4))
        await watcher.look()
    assert second.resources.access._epochs["U" * 26][0] == 4


async def test_a_change_that_is_rolled_back_ends_nothing(
    app: Application, chief: Person, sign_up: SignIn
) -> None:
    bob = await sign_up("bob")

    async def end_access_and_fail() -> None:
        async with unit_of_work() as work:
            user = await work.session.get_one(User, bob.id)
            access.raise_epoch(work.session, user)
            access.end_session(work.session, "S" * 26)
            await work.session.flush()
            raise ZeroDivisionError

    with app.resources.context("test"), pytest.raises(ZeroDivisionError):
        await end_access_and_fail()
    assert (await bob.client.get(f"/auth/profile/{bob.id}")).status_code == 200
    assert not app.resources.access._ended_sessions


async def test_what_another_session_commits_is_learnt_like_everything_else(app: Application) -> None:
    with app.resources.context("test"):
        async with app.resources.database.sessions() as session:
            access.end_session(session, "S" * 26)
            await session.commit()
        assert not app.resources.access._ended_sessions
        await look(app)
    assert "S" * 26 in app.resources.access._ended_sessions


async def test_permissions_are_checked_without_a_query(
    app: Application, sign_up: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await sign_up("bob")

    async def fail(*_: object) -> None:
        raise AssertionError("a query")

    # Undone before the process stops, which writes when sessions were seen.
    with monkeypatch.context() as patch:
        for name in ("fetch", "fetch_two"):
            patch.setattr(app.resources.database.read.runner, name, fail)
        patch.setattr(app.resources.database, "sessions", fail)
        assert (await bob.client.get("/api/v1/users")).status_code == 403


async def test_requests_are_answered_and_the_log_complains_while_the_database_is_away(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = app.resources
    with (
        capture() as said,
        resources.context("test"),
        clock.travel() as journey,
        monkeypatch.context() as patch,
    ):
        watcher = EndedAccess(app.resources)

        async def fail(*_: object) -> None:
            raise OSError("the database is away")

        patch.setattr(watch, "fetch_all", fail)
        for seconds in (0, 20, 20, 20):
            journey.move(seconds=seconds)
            await watcher.look()
        assert [record["level"] for record in said] == ["error"]
        assert "cannot be read" in said[0]["message"]
        patch.undo()
        await watcher.look()
        await watcher.look()
        assert [record["level"] for record in said] == ["error", "info"]


async def test_what_ended_during_an_outage_is_learnt_after_it(
    app: Application, second: Application, connect: Connect, sign_up: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await sign_up("bob")
    with second.resources.context("test"), clock.travel() as journey:
        watcher = EndedAccess(second.resources)
        await watcher.look()
        await bob.client.post("/auth/logout")
        journey.move(seconds=600)
        await watcher.look()
    assert await status(bob, second, connect) == 401


async def test_old_rows_are_deleted_and_living_ones_are_not(app: Application, sign_up: SignIn) -> None:
    bob, carol = await sign_up("bob"), await sign_up("carol")
    await bob.client.post("/auth/logout")
    await carol.client.post("/auth/login", json={"username": "carol", "password": "wrong"})
    life = timedelta(seconds=app.resources.settings.access_token_seconds)

    async def counts() -> list[int | None]:
        models: tuple[type[ModelBase], ...] = (AccessChange, UserSession, Guess)
        async with app.resources.database.engine.connect() as connection:
            return [await connection.scalar(select(func.count()).select_from(model)) for model in models]

    with app.resources.context("test"), clock.travel() as journey:
        before = await counts()
        await prune(life)
        assert await counts() == before
        assert before[:2] == [1, 1]
        journey.move(seconds=3600)
        await prune(life)
        assert await counts() == [0, 1, 0]
        journey.move(seconds=14 * 86_400)
        await prune(life)
        assert await counts() == [0, 0, 0]


async def test_the_watcher_prunes_now_and_then_and_survives_a_failure(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed, pruned = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(copies, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(watch, "PRUNE_INTERVAL_SECONDS", 0)

    async def fail_once(_life: timedelta) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError("the database is away")
        pruned.set()

    monkeypatch.setattr(watch, "prune", fail_once)
    polled = copies.Copies(asyncio.Event())
    with capture() as said, app.resources.context("test"):
        async with polled.follow(EndedAccess(app.resources)):
            task = asyncio.create_task(polled.run())
            await pruned.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert [record["level"] for record in said] == ["warning"]


async def test_changes_name_no_rows_by_foreign_key(app: Application, chief: Person, sign_up: SignIn) -> None:
    bob = await sign_up("bob")
    await chief.client.delete(f"/api/v1/users/{bob.id}")
    async with app.resources.database.engine.connect() as connection:
        query = text("select epoch from account_access_change where user_id = :id")
        assert (await connection.execute(query, {"id": bob.id})).scalars().all() == [1]

"""A worker whose database does not answer keeps what it knows, says so, and learns the rest later."""

from typing import Any

import httpx
import pytest

from tests.modules.organization.conftest import Join, create_department
from xumi.api import Application
from xumi.kernel import copies
from xumi.kernel.auth.scope import Scopes
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.log import capture
from xumi.modules.organization.constants import TREE
from xumi.modules.organization.service import watch
from xumi.modules.organization.service.change import announce, lock
from xumi.modules.organization.service.watch import Organization

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind is enough."""
    return sqlite_url


async def fail(*_: Any) -> None:
    """What the database does when it is gone."""
    raise ConnectionError("gone")


async def test_a_database_that_is_gone_changes_nothing_and_is_told_once(
    app: Application, admin: httpx.AsyncClient, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await create_department(admin, "one")
    zoe, _ = await join("zoe")
    body = {"user_ids": [zoe]}
    assert (await admin.put(f"/api/v1/departments/{one}/members", json=body)).status_code == 204
    scopes = app.resources.scopes
    organization = Organization(app.resources)
    monkeypatch.setattr(copies, "STALE_SECONDS", -1)
    with app.resources.context("test"), capture() as lines:
        with monkeypatch.context() as patch:
            patch.setattr(watch, "fetch_all", fail)
            await organization.look()
            await organization.look()
        assert scopes.departments_of(zoe) == {one}
        await organization.look()
        await organization.look()
    told = [line["message"] for line in lines]
    assert told == [
        "departments and data scopes cannot be read; changes made elsewhere do not count yet",
        "departments and data scopes can be read again",
    ]


async def test_a_new_worker_knows_all_that_was_decided_before(
    app: Application, admin: httpx.AsyncClient, join: Join
) -> None:
    one = await create_department(admin, "one")
    zoe, _ = await join("zoe")
    body = {"user_ids": [zoe]}
    assert (await admin.put(f"/api/v1/departments/{one}/members", json=body)).status_code == 204
    app.resources.scopes = Scopes()
    with app.resources.context("test"):
        await Organization(app.resources).look()
    assert app.resources.scopes.departments_of(zoe) == {one}


async def test_members_are_read_in_batches(
    app: Application, admin: httpx.AsyncClient, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await create_department(admin, "one")
    people = [(await join(name))[0] for name in ("ann", "bob", "cid")]
    monkeypatch.setattr(watch, "WATCH_BATCH", 2)
    body = {"user_ids": people}
    assert (await admin.put(f"/api/v1/departments/{one}/members", json=body)).status_code == 204
    assert all(app.resources.scopes.departments_of(person) == {one} for person in people)


async def test_a_change_outside_a_unit_of_work_is_learnt_of_like_any_other(app: Application) -> None:
    async with app.resources.database.sessions() as session:
        await announce(session, await lock(session), [TREE])
        await session.commit()
    with app.resources.context("test"):
        async with unit_of_work() as work:
            assert await lock(work.session) == 2

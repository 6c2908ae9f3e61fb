"""What decides about access is read from the database itself, never from a replica, which may lag behind."""

import shutil
from pathlib import Path

import httpx
import pytest

from tests.conftest import PASSWORD, make_settings, sign_in
from xumi.api import Application, create_app
from xumi.kernel import copies
from xumi.kernel.config import Settings
from xumi.kernel.testing.client import open_client, running
from xumi.kernel.testing.postgres import PostgresServer
from xumi.kernel.testing.tokens import decode
from xumi.modules.account.service.watch import EndedAccess

OTHER = "another correct horse battery"


@pytest.fixture
def read_url(request: pytest.FixtureRequest, database_url: str, sqlite_template: Path, tmp_path: Path) -> str:
    """A replica that has stopped to follow: it has the tables and the first administrator, and nothing newer."""
    if database_url.startswith("sqlite"):
        shutil.copy(sqlite_template, tmp_path / "replica.db")
        return f"sqlite:///{tmp_path / 'replica.db'}"
    server: PostgresServer = request.getfixturevalue("postgresql")
    return server.create_database("lagging", template=request.getfixturevalue("postgresql_template"))


@pytest.fixture
def settings(database_url: str, read_url: str) -> Settings:
    """Settings with the replica."""
    return make_settings(database_url, database_read_url=read_url)


async def test_lists_come_from_the_replica(admin: httpx.AsyncClient, user: httpx.AsyncClient) -> None:
    page = (await admin.get("/api/v1/users")).json()["data"]
    assert [item["username"] for item in page["items"]] == ["admin"]


async def test_who_has_just_registered_can_sign_in_and_read_himself(user: httpx.AsyncClient) -> None:
    claims = decode(user.headers["Authorization"].split(".")[1])
    profile = await user.get(f"/auth/profile/{claims['sub']}")
    assert profile.json()["data"]["username"] == "somebody"
    sessions = await user.get("/auth/sessions")
    assert len(sessions.json()["data"]["items"]) == 1


async def test_a_new_password_counts_at_once(user: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    change = {"old_password": PASSWORD, "new_password": OTHER}
    assert (await user.post("/auth/password", json=change)).status_code == 204
    old = await client.post("/auth/login", json={"username": "somebody", "password": PASSWORD})
    assert old.status_code == 401
    await sign_in(client, "somebody", OTHER)


async def test_a_session_that_has_ended_is_not_refreshed(client: httpx.AsyncClient) -> None:
    body = {"username": "admin", "password": PASSWORD}
    tokens = (await client.post("/auth/login", json=body)).json()["data"]
    refreshed = await client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 200, refreshed.text
    headers = {"Authorization": f"Bearer {refreshed.json()['data']['access_token']}"}
    assert (await client.post("/auth/logout", headers=headers)).status_code == 204
    again = {"refresh_token": refreshed.json()["data"]["refresh_token"]}
    assert (await client.post("/auth/refresh", json=again)).status_code == 401


async def test_other_workers_learn_from_the_database_what_has_ended(
    app: Application, user: httpx.AsyncClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "POLL_SECONDS", 3600)
    second = create_app(settings)
    async with running(second), open_client(second, headers=dict(user.headers)) as elsewhere:
        assert (await elsewhere.get("/auth/sessions")).status_code == 200
        assert (await user.post("/auth/logout")).status_code == 204
        with second.resources.context("test"):
            await EndedAccess(second.resources).look()
        assert (await elsewhere.get("/auth/sessions")).status_code == 401


async def test_both_are_checked_by_readiness(client: httpx.AsyncClient) -> None:
    checks = (await client.get("/readiness")).json()["data"]["checks"]
    assert checks["replica"] == "ok"

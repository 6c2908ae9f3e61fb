"""The application on MariaDB: it starts, registers, signs in and lists."""

import asyncio

import pytest

from tests.conftest import PASSWORD, make_settings, sign_in
from xumi.api import create_app, prepare
from xumi.kernel.config import Settings
from xumi.kernel.testing.client import open_client, running
from xumi.kernel.testing.mariadb import MariadbServer


@pytest.fixture
def settings(mariadb: MariadbServer) -> Settings:
    """The settings of an application on an empty MariaDB database."""
    return make_settings(mariadb.create_database("app"))


async def test_accounts_and_lists_work_on_mariadb(settings: Settings) -> None:
    application = create_app(settings)
    # In a thread, as a command does it: migrations have an event loop of their own.
    await asyncio.to_thread(lambda: asyncio.run(prepare(create_app(settings))))
    async with running(application), open_client(application) as user, open_client(application) as admin:
        body = {"username": "somebody", "email": "somebody@example.com", "password": PASSWORD}
        assert (await user.post("/auth/register", json=body)).status_code == 201
        again = await user.post("/auth/register", json=body)
        assert (again.status_code, again.json()["errors"][0]["field"]) == (409, "username")
        await sign_in(user, "somebody")
        assert (await user.get("/api/v1/users")).status_code == 403

        await sign_in(admin, "admin")
        answer = await admin.get("/api/v1/users", params={"sort": "-created_at", "size": 1})
        assert answer.status_code == 200, answer.text
        page = answer.json()["data"]
        assert (page["total"], [item["username"] for item in page["items"]]) == (2, ["somebody"])
        export = await admin.get("/api/v1/users", params={"export": "csv"})
        assert export.status_code == 200
        assert len(export.text.splitlines()) == 3
        assert (await user.post("/auth/logout")).status_code in (200, 204)
        assert (await admin.get("/readiness")).status_code == 200

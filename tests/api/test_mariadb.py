"""The application on MariaDB: it starts, registers, signs in and lists."""

import pytest

from tests.conftest import PASSWORD, sign_in
from xumi.api import Application
from xumi.kernel.testing.client import open_client


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
async def test_accounts_and_lists_work_on_mariadb(app: Application) -> None:
    async with open_client(app) as user, open_client(app) as admin:
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

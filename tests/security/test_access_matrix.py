"""Every route × {anonymous, user, administrator}, from the live route table."""

import re

import httpx
import pytest

from xumi.api import Application
from xumi.kernel.config import Settings
from xumi.kernel.http.router import Route
from xumi.kernel.testing.client import open_client

pytestmark = pytest.mark.anyio

# What a plain user may call, reviewed: a route that is not here is the administrator's alone.
USER_MAY = {
    "DELETE /auth/sessions",
    "DELETE /auth/sessions/{session_id}",
    "GET /api/v1/jobs/{job_id}",
    "GET /api/v1/jobs/{job_id}/events",
    "GET /auth/profile/{user_id}",
    "GET /auth/sessions",
    "GET /poster/list",
    "POST /auth/logout",
    "POST /auth/password",
    "POST /poster/add",
}
# What anybody may call, reviewed.
ANYBODY_MAY = {
    "GET /api/v1/health",
    "GET /apidocs",
    "GET /apidocs/",
    "GET /auth/refresh",
    "GET /docs",
    "GET /docs/assets/{name}",
    "GET /health",
    "GET /metrics",
    "GET /monitoring/metrics",
    "GET /openapi.json",
    "GET /readiness",
    "POST /auth/login",
    "POST /auth/refresh",
    "POST /auth/register",
}
PASSWORD = "correct horse battery staple"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Access does not depend on the database: one kind is enough."""
    return sqlite_url


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Signs in more often than the rate limit lets one address."""
    return settings.model_copy(update={"rate_limit_enabled": False})


@pytest.fixture
async def app(app: Application) -> Application:
    """The application with a user `zoe` beside the administrator."""
    async with open_client(app) as client:
        body = {"username": "zoe", "email": "zoe@example.com", "password": PASSWORD}
        assert (await client.post("/auth/register", json=body)).status_code == 201
    return app


async def sign_in(client: httpx.AsyncClient, username: str) -> dict[str, str]:
    """The header of a fresh session: some routes end the one that they are called in."""
    response = await client.post("/auth/login", json={"username": username, "password": PASSWORD})
    return {"Authorization": f"Bearer {response.json()['data']['access_token']}"}


async def call(client: httpx.AsyncClient, route: Route, headers: dict[str, str]) -> httpx.Response:
    """Call a route with ids that do not exist and without a body."""
    (method,) = route.methods or ()
    return await client.request(method, re.sub(r"{[^}]*}", "0", route.path), headers=headers)


def labels(app: Application, *, public: bool) -> set[str]:
    return {route.label for route in app.table.routes if route.policy.public is public}


async def test_who_may_call_what_is_what_was_reviewed(app: Application) -> None:
    assert labels(app, public=True) == ANYBODY_MAY
    assert labels(app, public=False) >= USER_MAY


async def test_each_route_lets_in_whom_it_should_and_nobody_else(app: Application) -> None:
    wrong = []
    async with open_client(app) as client:
        for route in app.table.routes:
            anonymous = (await call(client, route, {})).status_code
            user = (await call(client, route, await sign_in(client, "zoe"))).status_code
            administrator = (await call(client, route, await sign_in(client, "admin"))).status_code
            if route.policy.public:
                expected = anonymous != 403 and user != 403 and administrator != 403
            else:
                expected = (
                    anonymous == 401
                    and (user not in (401, 403) if route.label in USER_MAY else user == 403)
                    and administrator not in (401, 403)
                )
            if not expected:
                wrong.append((route.label, anonymous, user, administrator))
    assert wrong == []


@pytest.mark.parametrize("method", ["get", "put", "patch"])
async def test_a_user_sees_nothing_of_another_account(app: Application, method: str) -> None:
    async with open_client(app) as client:
        user, administrator = await sign_in(client, "zoe"), await sign_in(client, "admin")
        people = (await client.get("/api/v1/users", headers=administrator)).json()["data"]["items"]
        other = next(person["id"] for person in people if person["username"] == "admin")
        assert (await client.get(f"/auth/profile/{other}", headers=user)).status_code == 404
        response = await client.request(method, f"/api/v1/users/{other}", headers=user, json={})
        assert response.status_code == 403

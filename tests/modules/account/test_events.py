"""Registration tells of itself, and only if it succeeded."""

import httpx
import msgspec
from sqlalchemy import text

from tests.conftest import PASSWORD
from xumi.api import Application

BODY = {"username": "somebody", "email": "somebody@example.com", "password": PASSWORD}


async def _kept(app: Application) -> list[tuple[str, int, str, str, str]]:
    async with app.resources.database.sessions() as session:
        rows = await session.execute(
            text("SELECT name, version, aggregate, data, request_id FROM event_outbox ORDER BY position")
        )
        return [tuple(row) for row in rows]


async def test_a_registration_is_an_event_with_the_request_s_id(
    app: Application, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/auth/register", json=BODY, headers={"X-Request-ID": "sign-up-1"})
    key = answer.json()["data"]["id"]
    ((name, version, aggregate, data, request_id),) = await _kept(app)
    assert (name, version, aggregate, request_id) == ("account.user_registered", 1, key, "sign-up-1")
    assert msgspec.json.decode(data) == {
        "user_id": key,
        "username": "somebody",
        "email": "somebody@example.com",
    }


async def test_a_refused_registration_is_none(app: Application, client: httpx.AsyncClient) -> None:
    assert (await client.post("/auth/register", json=BODY)).status_code == 201
    assert (await client.post("/auth/register", json=BODY)).status_code == 409
    assert len(await _kept(app)) == 1

"""An application whose organization is set by its administrator, and people in it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from tests.conftest import PASSWORD, make_settings, sign_in
from xumi.api import Application
from xumi.kernel.auth import password
from xumi.kernel.config import Settings
from xumi.kernel.testing.client import open_client

Join = Callable[[str], Awaitable[tuple[str, httpx.AsyncClient]]]


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing costs next to nothing here."""
    monkeypatch.setattr(password, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(password, "_NOBODY", password._nobody())


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Many requests come from one address here."""
    return make_settings(database_url, rate_limit_enabled=False, log_level="CRITICAL")


@pytest.fixture
async def join(app: Application) -> AsyncIterator[Join]:
    """Make users: `await join("zoe")` gives an id and a client that is signed in."""
    async with AsyncExitStack() as stack:

        async def make(name: str) -> tuple[str, httpx.AsyncClient]:
            client = await stack.enter_async_context(open_client(app))
            body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
            response = await client.post("/auth/register", json=body)
            assert response.status_code == 201
            await sign_in(client, name)
            return response.json()["data"]["id"], client

        yield make


async def create_department(admin: httpx.AsyncClient, code: str, parent_id: str | None = None) -> str:
    """Make a department; returns its id."""
    body: dict[str, Any] = {"code": code, "name": code.title(), "parent_id": parent_id}
    response = await admin.post("/api/v1/departments", json=body)
    assert response.status_code == 201, response.text
    created: str = response.json()["data"]
    return created

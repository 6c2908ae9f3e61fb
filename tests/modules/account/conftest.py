"""People who use the application under test, and clients at addresses of their own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from tests.conftest import PASSWORD, make_settings
from tests.mailbox import Mailbox, run_mailbox
from xumi.api import Application
from xumi.kernel.auth import password
from xumi.kernel.config import Settings
from xumi.kernel.testing.client import open_client
from xumi.kernel.testing.tokens import decode
from xumi.modules.audit.models import AuditEntry

SIGNING_KEY = "a secret of the tests that is long enough"


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing costs next to nothing here; `tests/kernel/auth` looks at its real cost."""
    monkeypatch.setattr(password, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(password, "_NOBODY", password._nobody())


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A server that takes letters; `send_all` brings them there."""
    with run_mailbox() as started:
        yield started


def mail_settings(settings: Settings, mailbox: Mailbox) -> Settings:
    """The settings with that server."""
    values = {
        "mail_url": f"smtp://127.0.0.1:{mailbox.port}?tls=none",
        "public_url": "https://www.example.com",
    }
    return settings.model_copy(update=values)


@dataclass
class Person:
    """Somebody who has signed in; `client` sends the access token and keeps cookies."""

    id: str
    username: str
    client: httpx.AsyncClient
    access_token: str
    refresh_token: str


async def told(app: Application, action: str) -> list[AuditEntry]:
    """What the audit log says of one kind of change, the oldest first."""
    async with app.resources.database.sessions() as session:
        statement = select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)
        return list((await session.scalars(statement)).all())


Connect = Callable[..., Awaitable[httpx.AsyncClient]]
SignIn = Callable[..., Awaitable[Person]]


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Many sign-ins come from one address here."""
    return make_settings(
        database_url, rate_limit_enabled=False, jwt_secret_key=f"k1:{SIGNING_KEY}", log_level="CRITICAL"
    )


@pytest.fixture
async def connect(app: Application) -> AsyncIterator[Connect]:
    """Make clients: `await connect(ip="192.0.2.1")`, of another application with `await connect(other)`."""
    async with AsyncExitStack() as stack:

        async def make(target: Application = app, **options: Any) -> httpx.AsyncClient:
            return await stack.enter_async_context(open_client(target, **options))

        yield make


@pytest.fixture
async def sign_in(connect: Connect) -> SignIn:
    """Sign somebody in who has an account: `await sign_in("alice")`, each time on a new device."""

    async def sign_in(username: str, given: str = PASSWORD, **options: Any) -> Person:
        client = await connect(**options)
        response = await client.post("/auth/login", json={"username": username, "password": given})
        assert response.status_code == 200, response.text
        tokens = response.json()["data"]
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        user_id = decode(tokens["access_token"].split(".")[1])["sub"]
        return Person(user_id, username, client, tokens["access_token"], tokens["refresh_token"])

    return sign_in


@pytest.fixture
async def sign_up(client: httpx.AsyncClient, sign_in: SignIn) -> SignIn:
    """Make an account and sign in: `await sign_up("alice")`."""

    async def sign_up(username: str, given: str = PASSWORD) -> Person:
        body = {"username": username, "email": f"{username}@example.com", "password": given}
        response = await client.post("/auth/register", json=body)
        assert response.status_code == 201, response.text
        return await sign_in(username, given)

    return sign_up


@pytest.fixture
async def chief(sign_in: SignIn) -> Person:
    """The first administrator, signed in."""
    return await sign_in("admin")

"""Accounts and sessions are whole whenever the server dies, and whoever tries again succeeds."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.conftest import PASSWORD
from tests.siege.record import record
from tests.siege.scale import EVERY, is_full, on_databases
from xumi.kernel.auth.refresh import digest
from xumi.kernel.testing.crash import crash_sweep

pytestmark = [pytest.mark.siege, pytest.mark.timeout(180), on_databases("postgresql")]


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    """What lasts from one start to the next."""
    return {
        "DATABASE_URL": database_url,
        "JWT_SECRET_KEY": "k1:a secret of the tests that is long enough",
        "RATE_LIMIT_ENABLED": "false",
    }


class People:
    """What the flows share.

    Args:
        engine: the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def query(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql), values)]

    def sign_up(self, client: httpx.Client, name: str) -> httpx.Response:
        """Ask for an account."""
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        return client.post("/auth/register", json=body)

    def sign_in(self, client: httpx.Client, name: str) -> dict[str, Any]:
        """Sign in; the tokens."""
        response = client.post("/auth/login", json={"username": name, "password": PASSWORD})
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.json()["data"]
        return tokens

    def sessions(self, name: str) -> list[tuple[Any, ...]]:
        """A person's sessions: the hash of the token that is valid now, and of the one before it."""
        return self.query(
            "SELECT s.token_hash, s.previous_hash FROM account_session s JOIN account_user u ON u.id = s.user_id"
            " WHERE u.username = :name",
            name=name,
        )


class Registration(People):
    """Make an account."""

    def prepare(self, _client: httpx.Client, run: int) -> str:
        return f"alice-{run}"

    def act(self, client: httpx.Client, name: str) -> None:
        response = self.sign_up(client, name)
        assert response.status_code in (201, 409), response.text
        # Whoever is told that the name is taken can see by signing in that it was himself.
        if response.status_code == 409:
            self.sign_in(client, name)

    def check(self, name: str, acknowledged: bool) -> None:
        rows = self.query(
            "SELECT u.email_key, r.role FROM account_user u LEFT JOIN account_user_role r ON r.user_id = u.id"
            " WHERE u.username_key = :name",
            name=name,
        )
        assert rows in ([(f"{name}@example.com", "user")], *([] if acknowledged else [[]]))


class SignIn(People):
    """Begin a session."""

    def prepare(self, client: httpx.Client, run: int) -> str:
        name = f"bob-{run}"
        assert self.sign_up(client, name).status_code == 201
        return name

    def act(self, client: httpx.Client, name: str) -> None:
        tokens = self.sign_in(client, name)
        assert (digest(tokens["refresh_token"]), None) in self.sessions(name)

    def check(self, name: str, acknowledged: bool) -> None:
        # One whose answer was lost is left, and expires.
        assert len(self.sessions(name)) in ((1, 2) if acknowledged else (0, 1))
        ((signed_in, last_login_at),) = self.query(
            "SELECT EXISTS (SELECT 1 FROM account_session s WHERE s.user_id = u.id), u.last_login_at"
            " FROM account_user u WHERE u.username = :name",
            name=name,
        )
        assert bool(signed_in) == (last_login_at is not None)


class Refresh(People):
    """Exchange a refresh token; the same token again, for the answer may be lost."""

    def prepare(self, client: httpx.Client, run: int) -> tuple[str, str]:
        name = f"carol-{run}"
        assert self.sign_up(client, name).status_code == 201
        return name, self.sign_in(client, name)["refresh_token"]

    def act(self, client: httpx.Client, state: tuple[str, str]) -> None:
        name, token = state
        response = client.post("/auth/refresh", json={"refresh_token": token})
        assert response.status_code == 200, response.text
        successor = response.json()["data"]["refresh_token"]
        assert self.sessions(name) == [(digest(successor), digest(token))]

    def check(self, state: tuple[str, str], acknowledged: bool) -> None:
        name, token = state
        ((now, before),) = self.sessions(name)
        assert before == digest(token) or (not acknowledged and (now, before) == (digest(token), None))


RESPONSE = ["before response.start", "after response.start", "before response.body", "after response.body"]


@pytest.mark.parametrize("flow", [Registration, SignIn, Refresh])
def test_whole_at_every_point(
    flow: type[Registration | SignIn | Refresh], tmp_path: Path, engine: Engine, environment: dict[str, str]
) -> None:
    killed = crash_sweep(flow(engine), tmp_path, environment, every=EVERY)
    record(
        f"crash-sweep-{flow.__name__.lower()}-{engine.dialect.name}", {"kills": len(killed), "points": killed}
    )
    if is_full():
        assert killed[-4:] == RESPONSE
        assert "before COMMIT" in killed
        assert "after COMMIT" in killed
        assert any("account_" in point for point in killed)
    else:
        assert len(killed) >= 2

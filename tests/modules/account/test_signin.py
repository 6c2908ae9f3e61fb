"""Signing in: what it brings, and that nothing can be learned from a refusal."""

from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import text, update

from tests.conftest import PASSWORD
from tests.modules.account.conftest import Connect, Person, SignIn
from xumi.api import Application
from xumi.kernel.auth import password
from xumi.modules.account.models import User


async def login(client: httpx.AsyncClient, username: str, given: str) -> httpx.Response:
    return await client.post("/auth/login", json={"username": username, "password": given})


def facts(response: httpx.Response) -> tuple[int, dict[str, Any], set[str]]:
    """What two refusals must have in common: everything but the request's id and time."""
    return response.status_code, response.json() | {"request_id": ""}, set(response.headers)


async def test_tokens_are_what_the_documentation_says(client: httpx.AsyncClient, sign_up: SignIn) -> None:
    await sign_up("alice")
    response = await login(client, "ALICE", PASSWORD)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    data = response.json()["data"]
    assert set(data) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (data["token_type"], data["expires_in"]) == ("Bearer", 900)


async def test_every_refusal_is_the_same_and_evaluates_one_password(
    app: Application,
    client: httpx.AsyncClient,
    sign_up: SignIn,
    chief: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("wrong", "disabled", "locked"):
        await sign_up(name)
    async with app.resources.database.engine.begin() as connection:
        await connection.execute(update(User).where(User.username == "disabled").values(enabled=False))
    for _ in range(10):
        await login(client, "locked", "a wrong guess")
    evaluated: list[str] = []
    matches = password._matches
    monkeypatch.setattr(
        password, "_matches", lambda text, made: evaluated.append(made) or matches(text, made)
    )
    refusals = [
        await login(client, name, given)
        for name, given in (
            ("nobody", PASSWORD),
            ("wrong", "a wrong guess"),
            ("disabled", PASSWORD),
            ("disabled", "a wrong guess"),
            ("locked", PASSWORD),
            ("", ""),
        )
    ]
    assert len(evaluated) == len(refusals)
    assert len({str(facts(refusal)) for refusal in refusals}) == 1
    assert refusals[0].status_code == 401
    assert refusals[0].json()["code"] == 40103


async def test_a_hash_of_old_cost_is_replaced(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    await sign_up("alice")
    old = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash(PASSWORD)
    engine = app.resources.database.engine
    async with engine.begin() as connection:
        await connection.execute(update(User).where(User.username == "alice").values(password_hash=old))
    assert (await login(client, "alice", PASSWORD)).status_code == 200
    async with engine.connect() as connection:
        new = await connection.scalar(text("select password_hash from account_user where username = 'alice'"))
    assert new is not None
    assert not password.needs_rehash(new)
    assert (await login(client, "alice", PASSWORD)).status_code == 200


async def test_an_account_that_changes_while_the_password_is_checked_is_not_signed_in(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    matches = password._matches
    for name, values in (("alice", {"password_hash": "another"}), ("bob", {"enabled": False})):
        await sign_up(name)
        changes = update(User).where(User.username == name).values(**values)

        async def change_then_verify(given: str, made: str, changes: Any = changes) -> bool:
            async with app.resources.database.engine.begin() as connection:
                await connection.execute(changes)
            assert matches(given, made)
            return True

        with monkeypatch.context() as patch:
            patch.setattr("xumi.modules.account.service.signin.verify_password", change_then_verify)
            assert (await login(client, name, PASSWORD)).status_code == 401


async def test_the_device_cookie_is_kept_from_scripts_and_other_sites(
    client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    alice = await sign_up("alice")
    response = await login(alice.client, "alice", PASSWORD)
    cookie = response.headers["Set-Cookie"]
    assert {"HttpOnly", "Path=/auth", "SameSite=strict"} <= set(cookie.split("; "))
    assert alice.client.cookies["xumi_device"] in cookie
    strange = await login(client, "alice", PASSWORD)
    assert alice.client.cookies["xumi_device"] not in strange.headers["Set-Cookie"]


async def test_nothing_is_kept_in_clear(app: Application, sign_up: SignIn, connect: Connect) -> None:
    alice = await sign_up("alice")
    secrets = [PASSWORD, alice.access_token, alice.refresh_token, alice.client.cookies["xumi_device"]]
    async with app.resources.database.engine.connect() as connection:
        for table in ("account_user", "account_session", "account_guess", "account_access_change"):
            rows = str((await connection.execute(text(f"select * from {table}"))).all())
            assert not [secret for secret in secrets if secret in rows]


async def test_a_body_that_is_no_login_is_refused(client: httpx.AsyncClient) -> None:
    for body in (
        {},
        {"username": "a"},
        {"username": 1, "password": 2},
        {"username": "a", "password": "b\0c"},
        [],
    ):
        assert (await client.post("/auth/login", json=body)).status_code == 422

"""Making an account for oneself, and which names, addresses and passwords are accepted."""

import asyncio

import httpx
import pytest
from sqlalchemy import text

from tests.conftest import PASSWORD
from tests.modules.account.conftest import SignIn
from xumi.api import Application
from xumi.modules.account.service.policy import find_password_problem


def body(
    username: str = "alice", email: str = "alice@example.com", password: str = PASSWORD
) -> dict[str, str]:
    return {"username": username, "email": email, "password": password}


def fields(response: httpx.Response) -> list[str]:
    return [error["field"] for error in response.json()["errors"]]


async def test_a_new_account_is_shown_without_its_password(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    response = await client.post("/auth/register", json=body("Alice", "Alice@Example.com"))
    assert response.status_code == 201
    data = response.json()["data"]
    assert data == {"id": data["id"], "username": "Alice", "email": "Alice@Example.com"}
    assert len(data["id"]) == 26
    alice = await sign_in("alice")
    profile = (await alice.client.get(f"/auth/profile/{alice.id}")).json()["data"]
    assert alice.id == data["id"]
    assert (profile["roles"], profile["enabled"]) == (["user"], True)
    assert not [name for name in profile if "password" in name or "key" in name]


async def test_a_taken_name_or_address_is_named(client: httpx.AsyncClient) -> None:
    assert (await client.post("/auth/register", json=body())).status_code == 201
    for username, email, taken in (
        ("alice", "other@example.com", ["username"]),
        ("ALICE", "other@example.com", ["username"]),
        ("ａｌｉｃｅ", "other@example.com", ["username"]),
        ("other", "alice@example.com", ["email"]),
        ("other", "ALICE@EXAMPLE.COM", ["email"]),
        ("Alice", "Alice@example.com", ["username", "email"]),
    ):
        response = await client.post("/auth/register", json=body(username, email))
        assert response.status_code == 409, (username, email)
        assert fields(response) == taken


async def test_of_many_who_want_one_name_at_once_one_gets_it(
    app: Application, client: httpx.AsyncClient
) -> None:
    attempts = [
        client.post("/auth/register", json=body("Alice" if n % 2 else "alice", f"a{n}@example.com"))
        for n in range(20)
    ]
    statuses = sorted(response.status_code for response in await asyncio.gather(*attempts))
    assert statuses == [201] + [409] * 19
    async with app.resources.database.engine.connect() as connection:
        assert (
            await connection.scalar(text("select count(*) from account_user where username_key = 'alice'"))
            == 1
        )


REFUSED = {
    "username": ["", "a b", "a@b", "a/b", "a\nb", "x" * 65, "a\0b", "😀", "\u200balice", "a'--"],
    "email": ["", "alice", "alice@", "@example.com", "a@b", "a b@example.com", "a@exa mple.com", "a@example..com", "a@-x.com",
              "a@example.com\nBcc: b@example.com", "a@b@example.com", f"{'x' * 65}@example.com", f"a@{'x.' * 130}com"],
    "password": ["short", "password", "Alice@example.COM", "x" * 129, "x" * 2000],
}  # fmt: skip


async def test_what_is_not_accepted_is_named(client: httpx.AsyncClient) -> None:
    for field, values in REFUSED.items():
        for value in values:
            response = await client.post("/auth/register", json=body(**{field: value}))
            assert response.status_code == 422, (field, value)
            assert fields(response) == [field]


async def test_names_and_addresses_of_the_world_are_accepted(client: httpx.AsyncClient) -> None:
    emails = [
        "a@b.cn",
        "first.last+tag@sub.example.co.uk",
        "名@例子.中国",
        "o'neil@example.com",
        "x@example.com",
    ]
    for username, email in zip(["x", "x" * 64, "bob.smith-2_x", "张三", "Ünal"], emails, strict=True):
        response = await client.post("/auth/register", json=body(username, email))
        assert response.status_code == 201, (username, email)
        login = await client.post("/auth/login", json={"username": username.upper(), "password": PASSWORD})
        assert login.status_code == 200


async def test_a_field_too_many_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/auth/register", json=body() | {"roles": ["admin"]})
    assert response.status_code == 422
    assert fields(response) == ["roles"]


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("1234567", "8 to 128 characters, has 7"),
        ("é" * 7, "has 7"),
        ("e\u0301" * 7, "has 7"),
        ("x" * 129, "has 129"),
        ("12345678", "attackers"),
        ("PassWord", "attackers"),
        ("１２３４５６７８", "attackers"),
        ("longusername", "user name"),
        ("LongUserName", "user name"),
        ("long@example.com", "e-mail"),
    ],
)
def test_why_a_password_is_not_accepted(password: str, problem: str) -> None:
    assert problem in (find_password_problem(password, "LongUserName", "long@example.com") or "")


@pytest.mark.parametrize(
    "password", ["aaaaaaaaaaaaaab", "correct horse", "x" * 128, "密码密码密码密码", "        "]
)
def test_nothing_else_is_asked_of_a_password(password: str) -> None:
    assert find_password_problem(password, "alice", None) is None

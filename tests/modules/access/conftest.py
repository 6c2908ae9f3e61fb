"""People with roles, as the tests of accounts make them."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.conftest import PASSWORD
from tests.modules.account.conftest import (
    Person,
    SignIn,
    cheap_passwords,
    chief,
    connect,
    settings,
    sign_in,
    sign_up,
)

__all__ = ["cheap_passwords", "chief", "connect", "settings", "sign_in", "sign_up"]

ROLES = "/api/v1/roles"
USERS = "/api/v1/users"
Make = Callable[..., Awaitable[None]]
Employ = Callable[..., Awaitable[Person]]


def refusal(response: httpx.Response) -> tuple[int, list[str]]:
    """The code of an error, and the fields that it names."""
    body = response.json()
    return body["code"], [error["field"] for error in body.get("errors", [])]


async def granted(person: Person, code: str) -> dict[str, Any]:
    """What a role grants."""
    response = await person.client.get(f"{ROLES}/{code}/permissions")
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


@pytest.fixture
async def make_role(chief: Person) -> Make:
    """Make a role: `await make_role("clerk", "user:list", includes=["user"])`."""

    async def make(code: str, *permissions: str, includes: tuple[str, ...] = ()) -> None:
        titles = {"title_en": code.title(), "title_zh": code}
        made = await chief.client.post(ROLES, json={"code": code, **titles})
        assert (made.status_code, made.json().get("data")) == (201, code), made.text
        for path, name, values in (
            ("permissions", "permissions", list(permissions)),
            ("includes", "includes", list(includes)),
        ):
            if values:
                done = await chief.client.put(f"{ROLES}/{code}/{path}", json={name: values})
                assert done.status_code == 204, done.text

    return make


@pytest.fixture
async def employ(chief: Person, sign_in: SignIn) -> Employ:
    """Make an account with roles and sign in: `await employ("carol", "clerk")`."""

    async def employ(username: str, *roles: str) -> Person:
        body = {"username": username, "email": f"{username}@example.com", "password": PASSWORD}
        response = await chief.client.post(USERS, json={**body, "roles": list(roles)})
        assert response.status_code == 201, response.text
        return await sign_in(username)

    return employ

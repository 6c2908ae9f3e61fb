"""Invitations: who may invite whom as what, and how an account comes of it, once."""

import asyncio
from collections import Counter
from datetime import timedelta

import httpx
import pytest

from tests.conftest import PASSWORD
from tests.mailbox import Mailbox, send_all
from tests.modules.account.conftest import Person, SignIn, mail_settings, told
from xumi.api import Application
from xumi.kernel import clock
from xumi.kernel.config import Settings
from xumi.modules.account.constants import INVITATION_SECONDS
from xumi.modules.account.service.watch import KEEP_INVITATIONS, prune

pytestmark = pytest.mark.databases("sqlite")
EVERYWHERE = pytest.mark.databases("sqlite", "postgresql")
"""What databases do in ways of their own: locks, conditional updates, upserts."""


@pytest.fixture
def settings(settings: Settings, mailbox: Mailbox) -> Settings:
    """With a server that takes letters."""
    return mail_settings(settings, mailbox)


async def invite(person: Person, email: str = "new@example.com", *roles: str) -> httpx.Response:
    body = {"email": email, "roles": roles or ["user"]}
    return await person.client.post("/api/v1/invitations", json=body)


async def link(app: Application, mailbox: Mailbox, person: Person, *roles: str) -> str:
    """The secret of an invitation of new@example.com."""
    assert (await invite(person, "new@example.com", *roles)).status_code == 201
    await send_all(app.resources)
    return mailbox.secret()


async def accept(client: httpx.AsyncClient, token: str, username: str = "newcomer") -> httpx.Response:
    body = {"token": token, "username": username, "password": PASSWORD}
    return await client.post("/auth/invitations/accept", json=body)


async def listed(person: Person) -> list[dict[str, object]]:
    items: list[dict[str, object]] = (await person.client.get("/api/v1/invitations")).json()["data"]["items"]
    return items


@EVERYWHERE
async def test_who_is_invited_makes_an_account_with_the_roles(
    app: Application, client: httpx.AsyncClient, mailbox: Mailbox, chief: Person, sign_in: SignIn
) -> None:
    token = await link(app, mailbox, chief, "admin", "user")
    assert mailbox.recipients == ["new@example.com"]
    assert f"https://www.example.com/accept-invitation#{token}" in mailbox.text()
    (item,) = await listed(chief)
    assert (item["email"], item["roles"], item["invited_by"]) == (
        "new@example.com",
        ["admin", "user"],
        chief.id,
    )
    made = await accept(client, token)
    assert made.status_code == 201, made.text
    assert (made.json()["data"]["username"], made.json()["data"]["email"]) == ("newcomer", "new@example.com")
    newcomer = await sign_in("newcomer")
    profile = (await newcomer.client.get(f"/auth/profile/{newcomer.id}")).json()["data"]
    assert profile["roles"] == ["admin", "user"]
    (identity,) = (await newcomer.client.get("/auth/identities")).json()["data"]
    assert (identity["kind"], identity["label"]) == ("email", "new@example.com")
    assert identity["verified_at"] is not None
    assert await listed(chief) == []
    assert (await accept(client, token, "another")).json()["code"] == 42260


@EVERYWHERE
async def test_of_many_who_accept_at_once_one_succeeds(
    app: Application, client: httpx.AsyncClient, mailbox: Mailbox, chief: Person
) -> None:
    token = await link(app, mailbox, chief)
    answers = await asyncio.gather(*(accept(client, token, f"newcomer{n}") for n in range(20)))
    counted = Counter(answer.status_code for answer in answers)
    assert counted[201] == 1
    assert set(counted) <= {201, 422, 503}
    found = (await chief.client.get("/api/v1/users", params={"email": "new@example.com"})).json()["data"]
    assert len(found["items"]) == 1


async def test_a_taken_name_or_a_weak_password_leaves_the_link_as_it_was(
    app: Application, client: httpx.AsyncClient, mailbox: Mailbox, chief: Person
) -> None:
    token = await link(app, mailbox, chief)
    taken = await accept(client, token, "ADMIN")
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "username")
    body = {"token": token, "username": "newcomer", "password": "new@example.com"}
    weak = await client.post("/auth/invitations/accept", json=body)
    assert (weak.status_code, weak.json()["errors"][0]["field"]) == (422, "password")
    for more in ({"roles": ["admin"]}, {"email": "x@example.com"}, {"enabled": True}):
        assert (await client.post("/auth/invitations/accept", json=body | more)).status_code == 422
    assert (await accept(client, token)).status_code == 201


async def test_an_address_that_has_an_account_is_not_invited(chief: Person, sign_up: SignIn) -> None:
    await sign_up("alice")
    refused = await invite(chief, "Alice@example.com")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (409, "email")


async def test_an_address_that_got_an_account_meanwhile_is_not_taken_over(
    app: Application, client: httpx.AsyncClient, mailbox: Mailbox, chief: Person
) -> None:
    token = await link(app, mailbox, chief)
    body = {"username": "early", "email": "NEW@example.com", "password": PASSWORD}
    assert (await client.post("/auth/register", json=body)).status_code == 201
    refused = await accept(client, token)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (409, "email")


@EVERYWHERE
async def test_inviting_again_replaces_roles_and_link(
    app: Application, client: httpx.AsyncClient, mailbox: Mailbox, chief: Person
) -> None:
    first = await link(app, mailbox, chief, "admin")
    second = await link(app, mailbox, chief, "user")
    (item,) = await listed(chief)
    assert item["roles"] == ["user"]
    assert (await accept(client, first)).json()["code"] == 42260
    assert (await accept(client, second)).status_code == 201


@EVERYWHERE
async def test_an_invitation_is_revoked_and_expires(
    app: Application, client: httpx.AsyncClient, mailbox: Mailbox, chief: Person
) -> None:
    token = await link(app, mailbox, chief)
    (item,) = await listed(chief)
    assert (await chief.client.delete(f"/api/v1/invitations/{item['id']}")).status_code == 204
    assert [entry.subject for entry in await told(app, "invitation.revoked")] == [f"invitation:{item['id']}"]
    assert (await accept(client, token)).json()["code"] == 42260
    assert (await chief.client.delete(f"/api/v1/invitations/{item['id']}")).status_code == 404
    token = await link(app, mailbox, chief)
    with clock.travel(seconds=INVITATION_SECONDS + 1) as journey:
        assert (await accept(client, token)).json()["code"] == 42260
        with app.resources.context("test"):
            await prune(timedelta(seconds=900))
        assert len(await listed(await _again(chief))) == 1
        journey.move(seconds=KEEP_INVITATIONS.total_seconds())
        with app.resources.context("test"):
            await prune(timedelta(seconds=900))
        assert await listed(await _again(chief)) == []


async def _again(person: Person) -> Person:
    """Signed in anew, after a journey."""
    body = {"username": person.username, "password": PASSWORD}
    tokens = (await person.client.post("/auth/login", json=body)).json()["data"]
    person.client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    return person


async def test_nobody_invites_with_a_role_that_he_could_not_give(
    app: Application, chief: Person, sign_up: SignIn
) -> None:
    everything = {"invitation:create", "invitation:list", "invitation:revoke"}
    app.resources.access.replace_roles({"admin": {"*"}, "user": everything})
    alice = await sign_up("alice")
    assert (await invite(alice, "a@example.com", "admin")).json()["code"] == 40310
    assert (await invite(alice, "a@example.com", "emperor")).status_code == 422
    assert (await invite(alice, "a@example.com", "user")).status_code == 201
    assert (await invite(chief, "b@example.com", "admin")).status_code == 201
    invitation = next(item for item in await listed(alice) if item["email"] == "b@example.com")
    revoked = await alice.client.delete(f"/api/v1/invitations/{invitation['id']}")
    assert revoked.json()["code"] == 40310
    # Replacing somebody else's invitation would take its roles away.
    assert (await invite(alice, "b@example.com", "user")).json()["code"] == 40310


@pytest.mark.parametrize("change", [{"roles": ["user"]}, {"enabled": False}])
async def test_what_the_inviter_has_lost_he_does_not_hand_on(
    app: Application,
    client: httpx.AsyncClient,
    mailbox: Mailbox,
    chief: Person,
    sign_up: SignIn,
    change: dict[str, object],
) -> None:
    alice = await sign_up("alice")
    promoted = await chief.client.patch(f"/api/v1/users/{alice.id}", json={"roles": ["admin"]})
    assert promoted.status_code == 204
    token = await link(app, mailbox, await _again(alice), "admin")
    assert (await chief.client.patch(f"/api/v1/users/{alice.id}", json=change)).status_code == 204
    assert (await accept(client, token)).json()["code"] == 42260


async def test_plain_users_do_not_invite(sign_up: SignIn) -> None:
    alice = await sign_up("alice")
    assert (await invite(alice)).status_code == 403
    assert (await alice.client.get("/api/v1/invitations")).status_code == 403


async def test_an_address_must_be_one(chief: Person) -> None:
    for email in ["", "nobody", "a@example.com\r\nBcc: b@example.com", "a@example.com,b@example.com"]:
        refused = await invite(chief, email)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "email"), email

"""Names, addresses and numbers of one account: signing in by each, binding, unbinding, changing the address."""

import asyncio

import httpx
import pytest
from sqlalchemy import update

from tests.conftest import PASSWORD
from tests.mailbox import Mailbox, send_all
from tests.modules.account.conftest import Person, SignIn, mail_settings, told
from xumi.api import Application
from xumi.kernel.config import Settings
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import APIException
from xumi.modules.account.constants import MAX_GUESSES, MAX_IDENTITIES, NO_PASSWORD
from xumi.modules.account.models import User
from xumi.modules.account.service import identity

pytestmark = pytest.mark.databases("sqlite")
EVERYWHERE = pytest.mark.databases("sqlite", "postgresql")
"""What databases do in ways of their own: locks, conditional updates, upserts."""


@pytest.fixture
def settings(settings: Settings, mailbox: Mailbox) -> Settings:
    """With a server that takes letters."""
    return mail_settings(settings, mailbox)


async def bind(person: Person, mobile: str = "+86 138-0013-8000") -> httpx.Response:
    return await person.client.post("/auth/identities/mobile", json={"mobile": mobile})


async def login(client: httpx.AsyncClient, name: str, given: str = PASSWORD) -> int:
    return (await client.post("/auth/login", json={"username": name, "password": given})).status_code


async def listed(person: Person) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await person.client.get("/auth/identities")).json()["data"]
    return found


@EVERYWHERE
async def test_one_signs_in_by_name_address_or_number(sign_up: SignIn, client: httpx.AsyncClient) -> None:
    alice = await sign_up("alice")
    assert (await bind(alice)).status_code == 201
    for name in (
        "alice",
        "ALICE",
        "alice@example.com",
        "Alice@Example.com",
        "+8613800138000",
        "+86 138 0013 8000",
    ):
        assert await login(client, name) == 200, name
    for name in (
        "8613800138000",
        "008613800138000",
        "13800138000",
        "alice@example.org",
        "+8613800138001",
        "+",
        "@",
    ):
        assert await login(client, name) == 401, name


async def test_by_three_names_one_password_is_guessed_no_more_often(
    sign_up: SignIn, client: httpx.AsyncClient
) -> None:
    alice = await sign_up("alice")
    await bind(alice)
    names = ("alice", "alice@example.com", "+8613800138000")
    for n in range(MAX_GUESSES):
        assert await login(client, names[n % 3], f"guess {n}") == 401
    for name in names:
        assert await login(client, name) == 401
    assert await login(alice.client, "alice@example.com") == 200


async def test_a_number_is_of_one_account_in_one_spelling(sign_up: SignIn) -> None:
    alice, bob = await sign_up("alice"), await sign_up("bob")
    first = (await bind(alice, "+86 (138) 0013.8000")).json()["data"]
    assert (await bind(alice, "+8613800138000")).json()["data"] == first
    (item,) = await listed(alice)
    assert (item["kind"], item["label"], item["verified_at"]) == ("mobile", "+8613800138000", None)
    refused = await bind(bob, "0086 13800138000")
    assert (refused.status_code, refused.json()["code"]) == (409, 40901)
    assert await listed(bob) == []


@EVERYWHERE
async def test_of_many_who_bind_a_number_at_once_one_gets_it(sign_up: SignIn) -> None:
    people = [await sign_up(f"person{n}") for n in range(6)]
    answers = await asyncio.gather(*(bind(person) for person in people for _ in range(2)))
    counted = [answer.status_code for answer in answers]
    assert counted.count(201) in (1, 2)
    assert set(counted) == {201, 409}
    assert [len(await listed(person)) for person in people].count(1) == 1


async def test_a_number_has_its_country(sign_up: SignIn) -> None:
    alice = await sign_up("alice")
    for mobile in [
        "",
        "13800138000",
        "+0123456789",
        "+86",
        "+86138001380001234",
        "+86１３８００１３８０００",
        "+86a13800138000",
    ]:
        refused = await bind(alice, mobile)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "mobile"), mobile


async def test_other_peoples_identities_do_not_exist(
    app: Application, sign_up: SignIn, chief: Person
) -> None:
    alice, bob = await sign_up("alice"), await sign_up("bob")
    identity_id = (await bind(alice)).json()["data"]
    for stranger in (bob, chief):
        assert (await stranger.client.delete(f"/auth/identities/{identity_id}")).status_code == 404
    assert (await alice.client.delete(f"/auth/identities/{identity_id}")).status_code == 204
    assert len(await told(app, "identity.unbound")) == 1
    assert await listed(alice) == []
    assert (await alice.client.delete(f"/auth/identities/{identity_id}")).status_code == 404


async def test_an_administrator_gives_a_number_back_to_whose_it_is(
    app: Application, sign_up: SignIn, chief: Person
) -> None:
    alice, bob = await sign_up("alice"), await sign_up("bob")
    identity_id = (await bind(bob)).json()["data"]
    path = f"/api/v1/users/{bob.id}/identities"
    assert [one["id"] for one in (await chief.client.get(path)).json()["data"]] == [identity_id]
    assert (
        await chief.client.delete(f"/api/v1/users/{alice.id}/identities/{identity_id}")
    ).status_code == 404
    assert (await chief.client.delete(f"{path}/{identity_id}")).status_code == 204
    assert (await bind(alice)).status_code == 201
    assert (await chief.client.get(f"/api/v1/users/{'0' * 26}/identities")).status_code == 404
    app.resources.access.replace_roles({"admin": {"*"}, "user": {"user:unbind"}})
    refused = await alice.client.delete(f"/api/v1/users/{chief.id}/identities/{identity_id}")
    assert refused.json()["code"] == 40310


async def test_an_account_has_a_bounded_number_of_identities(sign_up: SignIn) -> None:
    alice = await sign_up("alice")
    answers = [(await bind(alice, f"+8613800138{n:03}")).status_code for n in range(MAX_IDENTITIES + 1)]
    assert answers == [201] * MAX_IDENTITIES + [409]


async def without_password(app: Application, person: Person, *subjects: str) -> list[str]:
    """Take a person's password away, and give him accounts at a provider; their ids."""
    with app.resources.context("test"):
        async with unit_of_work() as work:
            ids = [
                await identity.bind(work.session, person.id, "oidc:acme", subject, subject)
                for subject in subjects
            ]
            none = update(User).where(User.id == person.id).values(password_hash=NO_PASSWORD)
            await work.session.execute(none)
    return ids


async def test_one_way_to_sign_in_remains(
    app: Application, sign_up: SignIn, client: httpx.AsyncClient
) -> None:
    alice = await sign_up("alice")
    number = (await bind(alice)).json()["data"]
    (only,) = await without_password(app, alice, "a")
    assert await login(client, "alice") == 401
    refused = await alice.client.delete(f"/auth/identities/{only}")
    assert (refused.status_code, refused.json()["code"]) == (409, 40960)
    assert (await alice.client.delete(f"/auth/identities/{number}")).status_code == 204


@EVERYWHERE
async def test_two_who_unbind_the_last_two_at_once_leave_one(app: Application, sign_up: SignIn) -> None:
    for n in range(5):
        alice = await sign_up(f"alice{n}")
        ids = await without_password(app, alice, f"a{n}", f"b{n}")
        answers = await asyncio.gather(*(alice.client.delete(f"/auth/identities/{one}") for one in ids))
        assert sorted(answer.status_code for answer in answers) == [204, 409]
        assert len(await listed(alice)) == 1


async def test_somebody_who_is_gone_is_bound_to_nothing(app: Application) -> None:
    with app.resources.context("test"):
        async with unit_of_work() as work:
            with pytest.raises(APIException, match="NOT_FOUND"):
                await identity.bind(work.session, "0" * 26, "oidc:acme", "a", "a")


async def ask(person: Person, email: str = "new@example.com", given: str = PASSWORD) -> httpx.Response:
    return await person.client.post("/auth/email", json={"email": email, "password": given})


@EVERYWHERE
async def test_a_new_address_counts_once_it_is_confirmed(
    app: Application, client: httpx.AsyncClient, mailbox: Mailbox, sign_up: SignIn
) -> None:
    alice = await sign_up("alice")
    assert (await ask(alice)).status_code == 202
    await send_all(app.resources)
    assert mailbox.recipients == ["new@example.com"]
    assert await login(client, "new@example.com") == 401
    token = mailbox.secret()
    assert (await client.post("/auth/email/confirm", json={"token": token})).status_code == 204
    (noted,) = await told(app, "email.changed")
    assert (noted.before, noted.after) == ({"email": "alice@example.com"}, {"email": "new@example.com"})
    assert await login(client, "new@example.com") == 200
    assert await login(client, "alice@example.com") == 401
    (item,) = await listed(alice)
    assert (item["kind"], item["label"]) == ("email", "new@example.com")
    await send_all(app.resources)
    assert mailbox.recipients == ["new@example.com", "alice@example.com"]
    assert "another e-mail address" in mailbox.text()
    assert (await client.post("/auth/email/confirm", json={"token": token})).json()["code"] == 42260


@EVERYWHERE
async def test_a_new_address_wants_the_password_and_to_be_free(
    app: Application, client: httpx.AsyncClient, mailbox: Mailbox, sign_up: SignIn
) -> None:
    alice, _ = await sign_up("alice"), await sign_up("bob")
    assert (await ask(alice, given="wrong")).json()["code"] == 42210
    # That somebody has it learns only who reads its letters.
    assert (await ask(alice, "bob@example.com")).status_code == 202
    await send_all(app.resources)
    assert mailbox.recipients == ["bob@example.com"]
    taken = await client.post("/auth/email/confirm", json={"token": mailbox.secret()})
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "email")
    assert await login(client, "alice@example.com") == 200


async def test_of_two_new_addresses_the_last_counts_and_a_new_password_voids_it(
    app: Application, client: httpx.AsyncClient, mailbox: Mailbox, sign_up: SignIn
) -> None:
    alice = await sign_up("alice")
    await ask(alice, "first@example.com")
    await send_all(app.resources)
    await ask(alice, "second@example.com")
    await send_all(app.resources)
    first, second = mailbox.secret(0), mailbox.secret(1)
    assert (await client.post("/auth/email/confirm", json={"token": first})).json()["code"] == 42260
    body = {"old_password": PASSWORD, "new_password": "another battery staple"}
    assert (await alice.client.post("/auth/password", json=body)).status_code == 204
    assert (await client.post("/auth/email/confirm", json={"token": second})).json()["code"] == 42260

"""Signing in at a provider: the way there and back, what becomes of it here, and what each side must not do."""

import asyncio
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.conftest import PASSWORD
from tests.modules.oidc import browser
from tests.modules.oidc.provider import Person, SimulatedProvider
from xumi.api import Application, create_app
from xumi.kernel import clock
from xumi.kernel.config import Settings, load
from xumi.kernel.errors import StartError
from xumi.kernel.log import capture
from xumi.kernel.testing.client import open_client, running
from xumi.kernel.testing.tokens import decode
from xumi.modules.oidc.service.ticket import ANSWERED_SECONDS, ASKED_SECONDS, COOKIE
from xumi.modules.oidc.settings import OidcSettings


@pytest.fixture
async def bound(user: httpx.AsyncClient, provider: SimulatedProvider) -> httpx.AsyncClient:
    """`somebody`, who has bound his account at `acme`."""
    assert browser.find_word(await browser.bind(user, provider)) == ("bound", "acme")
    return user


def subject(tokens: dict[str, str]) -> str:
    found: str = decode(tokens["access_token"].split(".")[1])["sub"]
    return found


def own_id(client: httpx.AsyncClient) -> str:
    return subject({"access_token": client.headers["Authorization"].removeprefix("Bearer ")})


async def identities(client: httpx.AsyncClient) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await client.get("/auth/identities")).json()["data"]
    return found


async def test_who_has_bound_an_account_signs_in_by_it(
    app: Application, bound: httpx.AsyncClient, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    provider.person.claims = {"email": "some@body.example", "name": "Somebody"}
    tokens = await browser.sign_in(client, provider)
    assert subject(tokens) == own_id(bound)
    me = {"Authorization": f"Bearer {tokens['access_token']}"}
    profile = (await client.get(f"/auth/profile/{subject(tokens)}", headers=me)).json()["data"]
    assert profile["username"] == "somebody"
    (identity,) = await identities(bound)
    assert (identity["kind"], identity["label"]) == ("oidc:acme", "248289761001")
    assert identity["verified_at"] is not None


async def test_the_way_to_the_provider_says_what_it_must(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    response = await client.get("/auth/oidc/acme/login")
    url = urlsplit(response.headers["Location"])
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert url.path == "/authorize"
    assert (query["tenant"], query["response_type"], query["code_challenge_method"]) == ("1", "code", "S256")
    assert (query["scope"], query["client_id"]) == ("openid profile email", "xumi test")
    assert query["redirect_uri"] == "http://test/auth/oidc/acme/callback"
    assert len({query[name] for name in ("state", "nonce", "code_challenge")}) == 3
    cookie = response.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=lax", "Path=/auth/oidc", f"Max-Age={ASKED_SECONDS - 1}"):
        assert part in cookie
    # Nothing of it can be read in the cookie.
    assert not any(query[name] in cookie for name in ("state", "nonce"))
    assert response.headers["Cache-Control"] == "no-store"


async def test_the_sign_in_page_learns_which_providers_there_are(
    app: Application, client: httpx.AsyncClient
) -> None:
    listed = (await client.get("/auth/oidc")).json()["data"]
    assert listed[0] == {"name": "acme", "title": "acme", "login_url": "http://test/auth/oidc/acme/login"}
    assert [one["name"] for one in listed] == ["acme", "other"]
    for path in ("/auth/oidc/nobody/login", "/auth/oidc/nobody/callback"):
        assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    "claims",
    [{}, {"email": "somebody@example.com"}, {"email": "somebody@example.com", "email_verified": True}],
)
async def test_an_address_makes_nobody_the_owner_of_an_account(
    app: Application,
    user: httpx.AsyncClient,
    client: httpx.AsyncClient,
    provider: SimulatedProvider,
    claims: dict[str, object],
) -> None:
    provider.person.claims = claims
    refused = await browser.come_back(client, provider)
    assert refused.json()["code"] == (40961 if "email_verified" in claims else 40360)
    assert await identities(user) == []


async def test_accounts_of_two_providers_are_two(
    app: Application,
    bound: httpx.AsyncClient,
    client: httpx.AsyncClient,
    provider: SimulatedProvider,
    other: SimulatedProvider,
) -> None:
    assert other.person.subject == provider.person.subject
    assert (await browser.come_back(client, other, "other")).json()["code"] == 40360
    assert browser.find_word(await browser.bind(bound, other, "other")) == ("bound", "other")
    assert {one["kind"] for one in await identities(bound)} == {"oidc:acme", "oidc:other"}


async def test_an_account_at_a_provider_is_of_one_user(
    app: Application, bound: httpx.AsyncClient, admin: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    refused = await browser.bind(admin, provider)
    assert (refused.status_code, refused.json()["code"]) == (409, 40901)
    assert browser.find_word(await browser.bind(bound, provider)) == ("bound", "acme")
    assert len(await identities(bound)) == 1


async def test_case_makes_two_subjects(
    app: Application, bound: httpx.AsyncClient, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    provider.person = Person("abc")
    assert browser.find_word(await browser.bind(bound, provider))[0] == "bound"
    provider.person = Person("ABC")
    assert (await browser.come_back(client, provider)).json()["code"] == 40360


async def test_binding_wants_the_session_that_asked(
    app: Application, user: httpx.AsyncClient, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    assert (await client.post("/auth/oidc/acme/bind")).status_code == 401
    url = (await user.post("/auth/oidc/acme/bind")).json()["data"]["url"]
    back = browser.agree(provider, url)
    assert (await user.post("/auth/logout")).status_code == 204
    assert (await user.get(back)).json()["code"] == 40160


async def test_an_answer_is_of_the_browser_that_asked(
    app: Application, bound: httpx.AsyncClient, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    back = browser.agree(provider, await browser.leave(client))
    async with open_client(app) as stranger:
        # An attacker's answer in a victim's browser: without any request of its own, and with one.
        assert (await stranger.get(back)).json()["code"] == 40160
        await browser.leave(stranger)
        assert (await stranger.get(back)).json()["code"] == 40160
    kind, code = browser.find_word(await client.get(back))
    async with open_client(app) as stranger:
        assert (await browser.exchange(stranger, code)).json()["code"] == 40160
    assert kind == "code"
    assert (await browser.exchange(client, code)).status_code == 200


async def test_state_and_code_are_used_once(
    app: Application, bound: httpx.AsyncClient, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    provider.mode = "codes again"
    back = browser.agree(provider, await browser.leave(client))
    cookies = {COOKIE: client.cookies[COOKIE]}
    client.cookies.clear()
    answers = await asyncio.gather(*(client.get(back, headers=_header(cookies)) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {303: 1, 401: 9}
    answer = next(answer for answer in answers if answer.status_code == 303)
    code, cookies = browser.find_word(answer)[1], {COOKIE: answer.cookies[COOKIE]}
    client.cookies.clear()
    body = {"code": code}
    exchanged = await asyncio.gather(
        *(client.post("/auth/oidc/exchange", json=body, headers=_header(cookies)) for _ in range(10))
    )
    assert Counter(answer.status_code for answer in exchanged) == {200: 1, 401: 9}


def _header(cookies: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


async def test_both_steps_end_in_time(
    app: Application, bound: httpx.AsyncClient, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    back = browser.agree(provider, await browser.leave(client))
    cookie = _header({COOKIE: client.cookies[COOKIE]})
    client.cookies.clear()
    with clock.travel(seconds=ASKED_SECONDS + 1):
        assert (await client.get(back, headers=cookie)).json()["code"] == 40160
    answer = await browser.come_back(client, provider)
    code, cookie = browser.find_word(answer)[1], _header({COOKIE: client.cookies[COOKIE]})
    client.cookies.clear()
    with clock.travel(seconds=ANSWERED_SECONDS + 1):
        late = await client.post("/auth/oidc/exchange", json={"code": code}, headers=cookie)
        assert late.json()["code"] == 40160


async def test_a_ticket_that_is_not_ours_is_none(app: Application, client: httpx.AsyncClient) -> None:
    path = "/auth/oidc/acme/callback?code=x&state=x"
    for sealed in ["", "x", "gAAAAA", "a" * 5000]:
        headers = _header({COOKIE: sealed})
        assert (await client.get(path, headers=headers)).json()["code"] == 40160
        answer = await client.post("/auth/oidc/exchange", json={"code": "x"}, headers=headers)
        assert answer.json()["code"] == 40160


async def test_a_ticket_of_one_step_is_none_of_the_other(
    app: Application, bound: httpx.AsyncClient, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    await browser.leave(client)
    assert (await browser.exchange(client, "x")).json()["code"] == 40160
    code = browser.find_word(await browser.come_back(client, provider))[1]
    path = f"/auth/oidc/acme/callback?code={code}&state={code}"
    assert (await client.get(path)).json()["code"] == 40160


async def test_a_disabled_account_is_not_let_in(
    app: Application,
    bound: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    client: httpx.AsyncClient,
    provider: SimulatedProvider,
) -> None:
    code = browser.find_word(await browser.come_back(client, provider))[1]
    assert (await admin.post(f"/api/v1/users/{own_id(bound)}/disable")).status_code == 204
    assert (await browser.exchange(client, code)).json()["code"] == 40103


WISHES: list[tuple[dict[str, object], str]] = [
    ({"preferred_username": "admin"}, "admin-"),
    ({"preferred_username": "../../etc"}, "etc"),
    ({"preferred_username": "x" * 400}, "x" * 21),
    ({"preferred_username": 5}, "user"),
    ({"preferred_username": "%"}, "user"),
    ({}, "user"),
    ({"email": "amy@example.com", "email_verified": "true"}, "user"),
    ({"email": "amy@example.com\r\nBcc: x@example.com", "email_verified": True}, "user"),
    ({"email": "amy@example.com", "email_verified": True}, "amy"),
]


class TestProvision:
    """Whoever signs in at the provider and is unknown here gets an account."""

    @pytest.fixture
    def provider_values(self) -> dict[str, object]:
        return {"provision": True}

    async def test_an_account_is_made_once(
        self,
        app: Application,
        client: httpx.AsyncClient,
        admin: httpx.AsyncClient,
        provider: SimulatedProvider,
    ) -> None:
        provider.person.claims = {
            "preferred_username": "zoë smith",
            "email": "zoe@example.com",
            "email_verified": True,
        }
        first, second = [await browser.sign_in(client, provider) for _ in range(2)]
        assert subject(first) == subject(second)
        made = (await admin.get(f"/api/v1/users/{subject(first)}")).json()["data"]
        assert (made["username"], made["email"], made["roles"]) == ("zoë-smith", "zoe@example.com", ["user"])
        for given in ("", "!", PASSWORD):
            answer = await client.post("/auth/login", json={"username": "zoë-smith", "password": given})
            assert answer.json()["code"] == 40103
        me = {"Authorization": f"Bearer {first['access_token']}"}
        own = (await client.get("/auth/identities", headers=me)).json()["data"]
        assert {one["kind"] for one in own} == {"email", "oidc:acme"}
        only = next(one["id"] for one in own if one["kind"] == "oidc:acme")
        refused = await client.delete(f"/auth/identities/{only}", headers=me)
        assert refused.json()["code"] == 40960

    async def test_names_are_made_fit_and_addresses_count_only_when_verified(
        self,
        app: Application,
        client: httpx.AsyncClient,
        admin: httpx.AsyncClient,
        provider: SimulatedProvider,
    ) -> None:
        for number, (claims, username) in enumerate(WISHES):
            provider.person = Person(f"person {number}", claims)
            tokens = await browser.sign_in(client, provider)
            made = (await admin.get(f"/api/v1/users/{subject(tokens)}")).json()["data"]
            assert made["username"].startswith(username)
            assert made["email"] == ("amy@example.com" if username == "amy" else None)

    async def test_an_account_with_the_address_is_not_taken_over(
        self,
        app: Application,
        user: httpx.AsyncClient,
        client: httpx.AsyncClient,
        provider: SimulatedProvider,
    ) -> None:
        provider.person.claims = {"email": "Somebody@Example.com", "email_verified": True}
        assert (await browser.come_back(client, provider)).json()["code"] == 40961

    async def test_two_browsers_at_once_make_one_account(
        self, app: Application, admin: httpx.AsyncClient, provider: SimulatedProvider
    ) -> None:
        provider.person.claims = {"preferred_username": "zoe"}

        async def come() -> int:
            async with open_client(app) as own:
                return (await browser.come_back(own, provider)).status_code

        answers = await asyncio.gather(*(come() for _ in range(4)))
        assert set(answers) <= {303, 409}
        found = (await admin.get("/api/v1/users", params={"username": "zoe"})).json()["data"]["items"]
        assert len(found) == 1


async def test_without_providers_there_is_nothing_to_sign_in_at(settings: Settings) -> None:
    settings._sections[OidcSettings] = OidcSettings()
    application = create_app(settings)
    async with running(application), open_client(application) as nobody:
        assert (await nobody.get("/auth/oidc")).json()["data"] == []
        assert (await nobody.get("/auth/oidc/acme/login")).status_code == 404


async def test_production_wants_to_know_where_browsers_come_back_to(settings: Settings) -> None:
    values = {"app_env": "production", "public_url": None}
    application = create_app(settings.model_copy(update=values))
    with pytest.raises(RuntimeError, match="PUBLIC_URL"):
        async with running(application):
            pass


ACME = '{"acme": {"issuer": "https://acme.example", "client_id": "x", "client_secret": "kept", "provision": true}}'


def test_providers_come_from_the_environment_as_json(tmp_path: object) -> None:
    loaded = load(environ={"OIDC__PROVIDERS": ACME}, sections={"oidc": OidcSettings})
    value, source = loaded.sources["oidc.providers"]
    assert source == "environment"
    assert "kept" not in repr(value)
    provider = OidcSettings.model_validate({"providers": ACME}).providers["acme"]
    assert (provider.issuer, provider.scopes) == ("https://acme.example", "openid profile email")


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        ACME.replace("https://acme.example", "http://acme.example"),
        ACME.replace("https://acme.example", "https://user:password@acme.example"),
        ACME.replace('"acme"', '"a/b"'),
        ACME.replace('"provision": true', '"scopes": "profile"'),
        ACME.replace("client_id", "client"),
    ],
)
def test_what_cannot_be_used_refuses_to_start(wrong: str) -> None:
    with pytest.raises(StartError, match="OIDC__PROVIDERS") as raised:
        load(environ={"OIDC__PROVIDERS": wrong}, sections={"oidc": OidcSettings})
    assert "kept" not in str(raised.value)


async def test_refusals_say_in_the_log_why(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    with capture() as said:
        await client.get("/auth/oidc/acme/callback?error=access_denied&state=x")
    assert [one["reason"] for one in said if "refused" in one["message"]] == [
        "the answer is not for a request of this browser"
    ]

"""A provider, or somebody in its place, that lies: nobody is signed in."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.modules.oidc import browser
from tests.modules.oidc.provider import CLIENT_ID, SimulatedProvider
from xumi.api import Application
from xumi.kernel import clock
from xumi.kernel.log import capture
from xumi.modules.oidc.service.providers import KEEP_SECONDS, KEYS_AGAIN_SECONDS

FAILED, AWAY = 40160, 50361


@pytest.fixture(autouse=True)
async def bound(user: httpx.AsyncClient, provider: SimulatedProvider) -> None:
    """`somebody` has bound his account at `acme`; from now on somebody lies."""
    browser.find_word(await browser.bind(user, provider))
    provider.asked.clear()


Change = Callable[[dict[str, Any]], object]
# What the claims say, and what the log says of it.
LIES: dict[str, tuple[Change, str]] = {
    "no nonce": (lambda claims: claims.pop("nonce"), "another request"),
    "another nonce": (lambda claims: claims.update(nonce="another"), "another request"),
    "a nonce that is no text": (lambda claims: claims.update(nonce=["x"]), "another request"),
    "no audience": (lambda claims: claims.pop("aud"), "for another application"),
    "another audience": (lambda claims: claims.update(aud="another"), "for another application"),
    "no audience in a list": (lambda claims: claims.update(aud=[]), "for another application"),
    "an audience that contains ours": (
        lambda claims: claims.update(aud=CLIENT_ID + "x"),
        "for another application",
    ),
    "two audiences and no party": (
        lambda claims: claims.update(aud=[CLIENT_ID, "x"]),
        "to another application",
    ),
    "another party": (lambda claims: claims.update(azp="another"), "to another application"),
    "two audiences and another party": (
        lambda claims: claims.update(aud=[CLIENT_ID, "x"], azp="x"),
        "to another application",
    ),
    "no issuer": (lambda claims: claims.pop("iss"), "another issuer"),
    "another issuer": (lambda claims: claims.update(iss="https://evil.example"), "another issuer"),
    "the issuer with a slash": (lambda claims: claims.update(iss=claims["iss"] + "/"), "another issuer"),
    "expired": (lambda claims: claims.update(exp=claims["iat"] - 61), "expired"),
    "no end": (lambda claims: claims.pop("exp"), "expired"),
    "an end that is no number": (lambda claims: claims.update(exp=float("nan")), "expired"),
    "an end without end": (lambda claims: claims.update(exp=float("inf")), "expired"),
    "an end that is a text": (lambda claims: claims.update(exp="9999999999"), "expired"),
    "an end that is true": (lambda claims: claims.update(exp=True), "expired"),
    "made long ago": (lambda claims: claims.update(iat=claims["iat"] - 3600), "just now"),
    "made later": (lambda claims: claims.update(iat=claims["iat"] + 3600), "just now"),
    "no beginning": (lambda claims: claims.pop("iat"), "just now"),
    "not valid yet": (lambda claims: claims.update(nbf=claims["iat"] + 3600), "not valid yet"),
    "valid from a text on": (lambda claims: claims.update(nbf="0"), "not valid yet"),
    "another access token": (lambda claims: claims.update(at_hash="x"), "another access token"),
    "nobody": (lambda claims: claims.update(sub=""), "names nobody"),
    "no subject": (lambda claims: claims.pop("sub"), "names nobody"),
    "a subject that is no text": (lambda claims: claims.update(sub=248289761001), "names nobody"),
    "a subject that is too long": (lambda claims: claims.update(sub="x" * 256), "names nobody"),
}
# What is wrong with the signature.
MODES = {
    "alg none": "UnsupportedAlgorithmError",
    "public key as secret": "UnsupportedAlgorithmError",
    "another's key": "BadSignatureError",
    "key in the head": "BadSignatureError",
    "changed": "BadSignatureError",
    "unknown kid": "a key that it does not publish",
    "no kid": "a key that it does not publish",
}


async def test_tokens_that_lie(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    wrong = []

    async def expect(name: str, reason: str) -> None:
        with capture() as said:
            answer = await browser.come_back(client, provider)
        reasons = [one["reason"] for one in said if one["message"] == "sign-in at a provider refused"]
        if answer.json()["code"] != FAILED or len(reasons) != 1 or reason not in reasons[0]:
            wrong.append((name, answer.status_code, reasons))

    for name, (change, reason) in LIES.items():
        provider.change = change
        await expect(name, reason)
    provider.forget()
    for mode, reason in MODES.items():
        provider.mode = mode
        await expect(mode, reason)
    assert wrong == []
    provider.forget()
    assert (await browser.sign_in(client, provider))["access_token"]


@pytest.mark.parametrize("algorithm", ["RS512", "PS256"])
async def test_other_algorithms_are_not_taken(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider, algorithm: str
) -> None:
    provider.algorithm = algorithm
    assert (await browser.come_back(client, provider)).json()["code"] == FAILED


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_right_ones_are(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider, algorithm: str
) -> None:
    provider.algorithm = algorithm
    provider.change = lambda claims: claims.update(
        aud=[CLIENT_ID, "another"], azp=CLIENT_ID, at_hash=None, nbf=claims["iat"]
    )
    assert (await browser.sign_in(client, provider))["access_token"]


async def test_an_answer_of_another_provider_is_a_mix_up(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider, other: SimulatedProvider
) -> None:
    # `other` is the attacker: the browser was sent to it, and it sends the browser to acme's way back.
    back = browser.agree(other, await browser.leave(client, "other"))
    mixed = await client.get(back.replace("/other/callback", "/acme/callback"))
    assert mixed.json()["code"] == FAILED
    assert "/token" not in provider.asked
    # The other way round: acme's code must not reach `other`.
    back = browser.agree(provider, await browser.leave(client))
    mixed = await client.get(back.replace("/acme/callback", "/other/callback"))
    assert mixed.json()["code"] == FAILED
    assert "/token" not in other.asked


async def test_an_answer_says_whose_it_is_where_the_provider_says_that_it_does(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider, other: SimulatedProvider
) -> None:
    back = browser.agree(provider, await browser.leave(client))
    assert (await client.get(f"{back}&iss={other.issuer}")).json()["code"] == FAILED
    other.metadata = {"authorization_response_iss_parameter_supported": True}
    back = browser.agree(other, await browser.leave(client, "other"))
    without = back.partition("&iss=")[0]
    assert without != back
    assert (await client.get(without)).json()["code"] == FAILED
    assert "/token" not in [*provider.asked, *other.asked]
    back = browser.agree(other, await browser.leave(client, "other"))
    assert (await client.get(back)).json()["code"] == 40360


async def test_a_code_that_was_used_or_invented_is_refused(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    used = browser.agree(provider, await browser.leave(client))
    browser.find_word(await client.get(used))
    code = used.partition("code=")[2].partition("&")[0]
    back = browser.agree(provider, await browser.leave(client))
    own = back.partition("code=")[2].partition("&")[0]
    assert (await client.get(back.replace(own, code))).json()["code"] == FAILED
    back = browser.agree(provider, await browser.leave(client))
    own = back.partition("code=")[2].partition("&")[0]
    assert (await client.get(back.replace(own, "invented"))).json()["code"] == FAILED


async def test_a_code_of_another_browser_is_bound_to_its_verifier(
    app: Application, client: httpx.AsyncClient, user: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    """Injected into a request of one's own (RFC 9700 §4.5): the provider compares the challenge."""
    stolen = browser.agree(provider, await browser.leave(user)).partition("code=")[2].partition("&")[0]
    back = browser.agree(provider, await browser.leave(client))
    own = back.partition("code=")[2].partition("&")[0]
    assert (await client.get(back.replace(own, stolen))).json()["code"] == FAILED


async def test_the_provider_says_no(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    back = browser.agree(provider, await browser.leave(client))
    state = back.partition("state=")[2]
    answer = await client.get(f"/auth/oidc/acme/callback?error=access_denied&state={state}")
    assert answer.json()["code"] == FAILED
    assert "/token" not in provider.asked


async def test_new_keys_are_fetched_when_they_are_needed(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    with clock.travel() as journey:
        provider.rotate()
        # A minute after the last look; before that a stranger could make us ask as often as he likes.
        assert (await browser.come_back(client, provider)).json()["code"] == FAILED
        assert "/keys" not in provider.asked
        journey.move(seconds=KEYS_AGAIN_SECONDS + 1)
        provider.change = lambda claims: claims.update(
            iat=int(clock.timestamp()), exp=int(clock.timestamp()) + 60
        )
        assert (await browser.sign_in(client, provider))["access_token"]
        assert provider.asked.count("/keys") == 1
        provider.mode = "unknown kid"
        for _ in range(3):
            assert (await browser.come_back(client, provider)).json()["code"] == FAILED
        assert provider.asked.count("/keys") == 1


@pytest.mark.parametrize("mode", ["away", "redirects", "talks for ever"])
async def test_a_provider_that_does_not_answer_as_it_should(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider, mode: str
) -> None:
    with clock.travel(seconds=KEEP_SECONDS + 1):
        if mode == "talks for ever":
            back = browser.agree(provider, await browser.leave(client))
            provider.mode = mode
            answer = await client.get(back)
        else:
            provider.mode = mode
            answer = await client.get("/auth/oidc/acme/login")
        assert (answer.status_code, answer.json()["code"]) == (503, AWAY)
        assert "/elsewhere" not in provider.asked


async def test_a_document_that_lies(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    lies: list[dict[str, object]] = [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ]
    with clock.travel(seconds=KEEP_SECONDS + 1):
        for provider.metadata in lies:
            assert (await client.get("/auth/oidc/acme/login")).json()["code"] == AWAY


async def test_a_secret_in_the_body_where_the_provider_wants_it_there(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider
) -> None:
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    provider.change = lambda claims: claims.update(
        iat=int(clock.timestamp()), exp=int(clock.timestamp()) + 60
    )
    with clock.travel(seconds=KEEP_SECONDS + 1):
        assert (await browser.sign_in(client, provider))["access_token"]

"""Signing in at a provider, and binding an account there: to the provider, back from it, and to our tokens.

    login → provider → callback: verified, redirected to the page with a one-time code → exchange: our tokens

The provider is asked before any transaction begins.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import mail
from xumi.kernel.auth.principal import Principal
from xumi.kernel.auth.refresh import digest
from xumi.kernel.config import section
from xumi.kernel.errors import APIException
from xumi.modules.account.service import external
from xumi.modules.oidc.errors import OidcCode
from xumi.modules.oidc.schemas import ProviderOut
from xumi.modules.oidc.service import ticket
from xumi.modules.oidc.service.providers import ProviderClient, get_client, list_clients
from xumi.modules.oidc.service.ticket import Answered, Asked
from xumi.modules.oidc.settings import OidcSettings


class Step(NamedTuple):
    """Where a browser goes, and what it carries there."""

    url: str
    ticket: Asked | Answered | None


class Answer(NamedTuple):
    """What a provider sends a browser back with."""

    code: str | None
    state: str | None
    issuer: str | None
    error: str | None


def list_providers() -> list[ProviderOut]:
    """The providers that people can sign in at."""
    return [
        ProviderOut(
            name=client.name,
            title=client.provider.title or client.name,
            login_url=mail.public_url(f"{ticket.PATH}/{client.name}/login"),
        )
        for client in list_clients()
    ]


async def begin(name: str, principal: Principal | None = None) -> Step:
    """To the provider: to sign in, or, for a caller who has signed in, to bind an account there.

    Raises:
        APIException: NOT_FOUND, no such provider; PROVIDER_UNAVAILABLE.
    """
    client = get_client(name)
    endpoints = await client.endpoints()
    asked = ticket.make_asked(name, principal)
    challenge = urlsafe_b64encode(sha256(asked.verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": client.provider.client_id,
        "redirect_uri": _redirect_uri(name),
        "scope": client.provider.scopes,
        "state": asked.state,
        "nonce": asked.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    separator = "&" if "?" in endpoints.authorization else "?"
    return Step(f"{endpoints.authorization}{separator}{urlencode(query)}", asked)


async def come_back(session: AsyncSession, name: str, answer: Answer, sealed: str | None) -> Step:
    """Back from the provider: to the page, with a code to exchange, or with word that the account is bound.

    Raises:
        APIException: NOT_FOUND, no such provider; PROVIDER_SIGN_IN_FAILED; PROVIDER_UNAVAILABLE; PROVIDER_ACCOUNT_UNKNOWN;
            PROVIDER_EMAIL_TAKEN; DUPLICATE, the account to bind is bound to another user.
    """
    from xumi.modules.oidc.service.idtoken import refuse

    client = get_client(name)
    asked = ticket.read(sealed, Asked)
    if asked is None or not compare_digest(asked.state.encode(), (answer.state or "").encode()):
        raise refuse("the answer is not for a request of this browser")
    # Each provider has a way back of its own; an answer that comes by another's is a mix-up (RFC 9700 §4.4).
    if asked.provider != name:
        raise refuse("the answer is another provider's")
    if not await ticket.use(asked.state):
        raise refuse("the answer was used already")
    claims = await _find_claims(client, asked, answer)
    kind, key = f"oidc:{name}", digest(f"{client.provider.issuer}\0{claims['sub']}")
    label = _find_label(claims)
    if asked.user_id is not None and asked.session_id is not None:
        if not await external.has_session(session, asked.user_id, asked.session_id):
            raise refuse("the session that wanted to bind has ended")
        await external.bind(session, asked.user_id, kind, key, label, verified=True)
        return Step(_landing(f"bound={name}"), None)
    user_id = await external.find_user_id(kind, key)
    if user_id is None:
        user_id = await _provision(session, client, claims)
        await external.bind(session, user_id, kind, key, label, verified=True)
    answered, code = ticket.make_answered(user_id)
    return Step(_landing(f"code={code}"), answered)


async def exchange(
    session: AsyncSession, code: str, sealed: str | None, user_agent: str
) -> external.TokensOut | external.SecondFactorOut:
    """Our tokens for the code, or a question for a second factor; once, in the browser that came back with it.

    Raises:
        APIException: PROVIDER_SIGN_IN_FAILED; LOGIN_FAILED, the account is disabled.
    """
    answered = ticket.read(sealed, Answered)
    if answered is None or not compare_digest(answered.code_hash, digest(code)) or not await ticket.use(code):
        raise APIException(OidcCode.PROVIDER_SIGN_IN_FAILED)
    return await external.begin_session(session, answered.user_id, user_agent)


async def _find_claims(client: ProviderClient, asked: Asked, answer: Answer) -> dict[str, Any]:
    """Who signed in, as the provider says and we believe."""
    from xumi.modules.oidc.service.idtoken import UnknownKey, refuse, verify

    endpoints = await client.endpoints()
    if answer.issuer != client.provider.issuer and (answer.issuer is not None or endpoints.names_itself):
        raise refuse("the answer names another issuer")
    if answer.error is not None or not answer.code:
        raise refuse(f"the provider says {(answer.error or 'nothing')[:100]!r}")
    tokens = await client.exchange(answer.code, asked.verifier, _redirect_uri(client.name))
    for newer in (False, True):
        try:
            return verify(
                tokens.id_token,
                await client.keys(newer=newer),
                client.provider,
                nonce=asked.nonce,
                access_token=tokens.access_token,
            )
        except UnknownKey:
            continue
    raise refuse("its ID token was signed with a key that it does not publish")


async def _provision(session: AsyncSession, client: ProviderClient, claims: dict[str, Any]) -> str:
    """An account for somebody who has none. An address makes nobody the owner of an account that has it."""
    address = claims.get("email") if claims.get("email_verified") is True else None
    email = address if isinstance(address, str) and external.is_address(address) else None
    if email is not None and await external.is_taken(session, email):
        raise APIException(OidcCode.PROVIDER_EMAIL_TAKEN)
    if not client.provider.provision:
        raise APIException(OidcCode.PROVIDER_ACCOUNT_UNKNOWN)
    wished = claims.get("preferred_username")
    name = wished if isinstance(wished, str) else (email or "").partition("@")[0]
    return await external.provision(session, name=name, email=email)


def _find_label(claims: dict[str, Any]) -> str:
    """What people know an account at a provider by."""
    named = (claims.get(name) for name in ("email", "preferred_username", "name", "sub"))
    return next(text for text in named if isinstance(text, str) and text).replace("\0", "")


def _redirect_uri(name: str) -> str:
    return mail.public_url(f"{ticket.PATH}/{name}/callback")


def _landing(word: str) -> str:
    # Behind the `#`: it reaches no server, no log and no other page.
    return mail.public_url(f"{section(OidcSettings).landing_path}#{word}")

"""What a browser carries between the steps of a sign-in: encrypted, of one step and one browser, used once.

It is a cookie that scripts cannot read, so that an answer of a provider, or a code of ours, is worth nothing in another browser:
nobody can be signed in to an attacker's account by a link, and a code that leaks opens nothing.
"""

import secrets
from typing import TypeVar

import msgspec
from starlette.responses import Response

from xumi.kernel import clock, counters
from xumi.kernel.auth.principal import Principal
from xumi.kernel.auth.refresh import digest
from xumi.kernel.context import current

COOKIE = "xumi_oidc"
PATH = "/auth/oidc"
ASKED_SECONDS = 600
ANSWERED_SECONDS = 60


class Asked(msgspec.Struct, frozen=True, tag="asked"):
    """A browser was sent to a provider.

    Attributes:
        provider: its name.
        state, nonce, verifier: secrets of this request (RFC 6749 §10.12, OpenID Connect §3.1.2.1, RFC 7636).
        expires: seconds since 1970.
        user_id, session_id: who wants to bind, and from which session; None for a sign-in.
    """

    provider: str
    state: str
    nonce: str
    verifier: str
    expires: float
    user_id: str | None = None
    session_id: str | None = None


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """A provider has vouched for a user; `code_hash` is of the code that the page exchanges."""

    user_id: str
    code_hash: str
    expires: float


TicketT = TypeVar("TicketT", Asked, Answered)


def make_asked(provider: str, principal: Principal | None) -> Asked:
    """A request with secrets of its own; with a principal, one to bind."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    expires = clock.timestamp() + ASKED_SECONDS
    if principal is None:
        return Asked(provider, state, nonce, verifier, expires)
    return Asked(provider, state, nonce, verifier, expires, principal.user_id, principal.session_id)


def make_answered(user_id: str) -> tuple[Answered, str]:
    """A voucher, and the code that belongs to it."""
    code = secrets.token_urlsafe(32)
    return Answered(user_id, digest(code), clock.timestamp() + ANSWERED_SECONDS), code


def put(response: Response, ticket: Asked | Answered) -> None:
    """Give it to the browser."""
    # It takes 40 ms to import: who has no provider does not pay for it.
    from xumi.kernel.secrets import SecretManager

    sealed = SecretManager.encrypt(msgspec.json.encode(ticket).decode())
    response.set_cookie(
        COOKIE,
        sealed,
        max_age=int(ticket.expires - clock.timestamp()),
        path=PATH,
        secure=current().resources.settings.app_env == "production",
        httponly=True,
        # The way back from a provider is a navigation from elsewhere, which `strict` would not send it with.
        samesite="lax",
    )


def take_away(response: Response) -> None:
    """Take it from the browser."""
    response.delete_cookie(COOKIE, path=PATH)


def read(sealed: str | None, kind: type[TicketT]) -> TicketT | None:
    """The ticket, if it is ours, of this step and has not expired."""
    from xumi.kernel.secrets import SecretError, SecretManager

    if not sealed:
        return None
    try:
        ticket = msgspec.json.decode(SecretManager.decrypt(sealed), type=kind)
    except (SecretError, msgspec.DecodeError):
        return None
    return ticket if ticket.expires > clock.timestamp() else None


async def use(secret: str) -> bool:
    """Whether this secret of a ticket is used for the first time; committed at once."""
    name = f"oidc ticket {digest(secret)}"
    return await counters.take(name, 1, limit=1, window_seconds=2 * ASKED_SECONDS)

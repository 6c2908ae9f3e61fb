"""`MAIL_URL` and `MAIL_FROM`: which server takes letters, how it is spoken to, and whom letters are from."""

import re
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

_LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))
_SENDER = re.compile(
    r'(?:(?P<name>[^<>"\r\n]{1,100}) )?(?P<open><)?(?P<address>[^\s<>@"]+@[^\s<>@"]+)(?(open)>)'
)


class MailServer(NamedTuple):
    """A server that takes letters.

    Attributes:
        host, port: where it is.
        tls: `implicit` from the first byte, `starttls` before anything is said, or `none`.
        user, password: how we sign in there; None where we need not.
    """

    host: str
    port: int
    tls: Literal["implicit", "starttls", "none"]
    user: str | None
    password: str | None


def parse_mail_url(text: str) -> MailServer:
    """Read `smtp://user:password@host:587?tls=starttls` or `smtps://user:password@host`.

    Raises:
        ValueError: it is something else, or would send a password in clear over a network.
    """
    parts = urlsplit(text)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    implicit = parts.scheme == "smtps"
    tls = options.pop("tls", "implicit" if implicit else "starttls")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/") or options:
        raise ValueError("must be smtp://user:password@host:587?tls=starttls or smtps://user:password@host")
    if tls not in (("implicit",) if implicit else ("starttls", "none")):
        raise ValueError(
            "smtp:// takes tls=starttls (which it does unasked) or tls=none, smtps:// takes none of them"
        )
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if (user is None) != (password is None):
        raise ValueError("needs both a user and a password, or neither")
    if tls == "none" and user is not None and parts.hostname not in _LOOPBACK:
        raise ValueError("would send the password in clear: use tls=starttls, or smtps://")
    return MailServer(parts.hostname, parts.port or (465 if implicit else 587), tls, user, password)  # type: ignore[arg-type]


def check_mail_url(text: str) -> str:
    """The same text, if it can be read; raises ValueError otherwise."""
    parse_mail_url(text)
    return text


def parse_sender(text: str) -> tuple[str, str]:
    """Name and address of `Name <address>`, or of an address alone.

    Raises:
        ValueError: it is neither.
    """
    found = _SENDER.fullmatch(text)
    if found is None or (found["name"] and not found["open"]):
        raise ValueError("must be an address such as no-reply@example.com, or Name <no-reply@example.com>")
    return (found["name"] or "").strip(), found["address"]


def check_sender(text: str) -> str:
    """The same text, if it can be read; raises ValueError otherwise."""
    parse_sender(text)
    return text


def check_public_url(text: str) -> str:
    """The address without a slash at its end; raises ValueError where it is none."""
    parts = urlsplit(text)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.query
        or parts.fragment
        or parts.username
    ):
        raise ValueError("must be an address such as https://www.example.com")
    return text.rstrip("/")

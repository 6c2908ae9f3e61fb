"""Secrets in settings: several of them in one text, and whether one is worth its name."""

import hashlib
import re
from typing import NamedTuple

from pydantic import SecretStr

MIN_SECRET_LENGTH = 32
MIN_PASSWORD_LENGTH = 8

_KEY_ID = re.compile(r"([A-Za-z0-9._-]{1,32}):(.+)", re.DOTALL)
_PUBLIC = re.compile(
    r"(changeme|changethis|changeit|replaceme|your(jwt)?secret|jwtsecret|secretkey|devsecret|devkey|insecure|password|passw0rd"
    r"|admin|root|test|example|default|qwerty|letmein|12345678|secret)(key|here|password|inproduction|please|me|[0-9])*",
    re.IGNORECASE,
)


class Key(NamedTuple):
    """One key of a ring. `kid` names it in public; it says nothing about a secret that is strong."""

    kid: str
    secret: str


def key_ring(value: SecretStr | str) -> tuple[Key, ...]:
    """The keys in a setting, the one in use first: `kid:secret,kid2:secret2`, or secrets without names.

    A secret without a name is named after its hash, so that it keeps its name when another is put before it.
    """
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    keys = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        named = _KEY_ID.fullmatch(part)
        kid = named[1] if named else hashlib.sha256(b"xumi key id\0" + part.encode()).hexdigest()[:8]
        keys.append(Key(kid, named[2] if named else part))
    return tuple(keys)


def secret_weakness(text: str, minimum: int = MIN_SECRET_LENGTH) -> str | None:
    """Why a secret must not protect anything ("is shorter than 32 characters"), or None.

    Args:
        text: the secret.
        minimum: how many characters it needs.
    """
    if _PUBLIC.fullmatch(re.sub(r"[\W_]", "", text)):
        return "is a publicly known default"
    if len(text) < minimum:
        return f"is shorter than {minimum} characters"
    # A text that occurs inside its own double before the end is a repetition.
    if len(set(text)) < minimum // 4 or (text + text).find(text, 1) < len(text):
        return "repeats the same few characters"
    return None

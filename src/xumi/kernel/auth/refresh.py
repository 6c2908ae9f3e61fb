"""Refresh tokens: opaque, 256 bits of secret, each exchanged for exactly one successor.

A token is `<session id>.<secret>.<seal>`. The first secret of a session is random. Every other one is computed from the token
before it under a key of the server: whoever exchanges one token again, because the answer was lost or fifty requests raced,
gets the same successor, and it need not be stored in clear. The seal shows that a token was ours even after its hash has
been replaced in the database, so that a reuse is noticed however old the token is, while an invented token ends nobody's
session.
"""

import secrets
from hashlib import sha256

from xumi.kernel.auth.seal import Sealer

MAX_TOKEN_CHARACTERS = 160


class RefreshTokens:
    """Makes and recognises refresh tokens."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def first(self, session_id: str) -> str:
        """The first token of a session."""
        return self._finish(session_id, secrets.token_urlsafe(32))

    def successor(self, token: str) -> str:
        """The one token that follows `token`, which `find_session` has recognised."""
        return self._finish(token.partition(".")[0], self._sealer.seal("refresh token successor", token))

    def find_session(self, token: str) -> str | None:
        """The id of the session that the token was made for; None when it is not ours."""
        body, _, seal = token.rpartition(".")
        if len(token) > MAX_TOKEN_CHARACTERS or not self._sealer.is_sealed("refresh token", body, seal):
            return None
        return body.partition(".")[0]

    def _finish(self, session_id: str, secret: str) -> str:
        body = f"{session_id}.{secret}"
        return f"{body}.{self._sealer.seal('refresh token', body)}"


def digest(token: str) -> str:
    """What is stored of a token: its SHA-256 in hexadecimal. (A slow hash is for secrets that can be guessed.)"""
    return sha256(token.encode()).hexdigest()

"""Access tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256, as this application alone writes them.

The reader is as strict as it can be: it knows the few headers that it writes itself, byte for byte, so that `alg`, `typ`
and `kid` are never taken from a stranger; and a payload counts only in the one spelling that it would have written.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from typing import Literal

import msgspec

from xumi.kernel import clock
from xumi.kernel.auth.refresh import RefreshTokens
from xumi.kernel.auth.seal import Sealer
from xumi.kernel.config import Settings
from xumi.kernel.config.keyring import key_ring
from xumi.kernel.errors import APICode, APIException, StartError

MAX_TOKEN_BYTES = 8192
CLOCK_SKEW_SECONDS = 60
"""How far the clocks of two workers may differ."""
MAX_REMEMBERED = 10_000

_PADDING = b"=="


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an access token says: user, session, roles, epoch (`ver`), issued at, expires at (seconds since 1970)."""

    typ: Literal["access"]
    sub: str
    sid: str
    roles: tuple[str, ...]
    ver: int
    iat: int
    exp: int


_decoder = msgspec.json.Decoder(Claims)
_encoder = msgspec.json.Encoder()


def _encode(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


class TokenIssuer:
    """Writes and reads access tokens; `refresh` does so with refresh tokens, `sealer` with everything else that we sign.

    Args:
        settings: `jwt_secret_key` (the first key signs, all verify) and `access_token_seconds`.

    Raises:
        StartError: two keys have one name, or there is none.
    """

    def __init__(self, settings: Settings) -> None:
        ring = key_ring(settings.jwt_secret_key)
        self._keys = {self._header(key.kid): key.secret.encode() for key in ring}
        if len(self._keys) != len(ring) or not ring:
            raise StartError(
                "JWT_SECRET_KEY must hold at least one key, each under a name of its own: kid:secret,kid2:secret2."
            )
        self._first = self._header(ring[0].kid)
        self._seconds = settings.access_token_seconds
        self._verified: OrderedDict[str, Claims] = OrderedDict()
        self.sealer = Sealer([key.secret.encode() for key in ring])
        self.refresh = RefreshTokens(self.sealer)

    @staticmethod
    def _header(kid: str) -> bytes:
        return _encode(_encoder.encode({"alg": "HS256", "typ": "JWT", "kid": kid}))

    def issue_access(
        self, user_id: str, session_id: str, roles: tuple[str, ...], epoch: int
    ) -> tuple[str, int]:
        """A new access token, and the seconds that it lives."""
        now = int(clock.timestamp())
        claims = Claims("access", user_id, session_id, roles, epoch, now, now + self._seconds)
        signed = self._first + b"." + _encode(_encoder.encode(claims))
        return (signed + b"." + self._sign(self._keys[self._first], signed)).decode(), self._seconds

    def verify(self, token: str) -> Claims:
        """What a token says.

        Raises:
            APIException: TOKEN_INVALID, or TOKEN_EXPIRED when it was valid once.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = self._read(token)
            # Only what was signed by us is remembered: strangers cannot fill the memory.
            self._verified[token] = claims
            if len(self._verified) > MAX_REMEMBERED:
                self._verified.popitem(last=False)
        if claims.exp <= clock.timestamp():
            self._verified.pop(token, None)
            raise APIException(APICode.TOKEN_EXPIRED)
        return claims

    def _read(self, token: str) -> Claims:
        if len(token) > MAX_TOKEN_BYTES or not token.isascii() or token.count(".") != 2:
            raise APIException(APICode.TOKEN_INVALID)
        signed, _, signature = token.encode().rpartition(b".")
        header, _, payload = signed.partition(b".")
        key = self._keys.get(header)
        if key is None or not hmac.compare_digest(self._sign(key, signed), signature):
            raise APIException(APICode.TOKEN_INVALID)
        claims = self._decode(payload)
        if claims is None or claims.iat > clock.timestamp() + CLOCK_SKEW_SECONDS or claims.exp <= claims.iat:
            raise APIException(APICode.TOKEN_INVALID)
        return claims

    @staticmethod
    def _sign(key: bytes, signed: bytes) -> bytes:
        return _encode(hmac.digest(key, signed, "sha256"))

    @staticmethod
    def _decode(payload: bytes) -> Claims | None:
        """The claims, or None where they are not written exactly as `issue_access` writes them."""
        try:
            claims = _decoder.decode(urlsafe_b64decode(payload + _PADDING))
        except (ValueError, msgspec.DecodeError, RecursionError):
            return None
        return claims if _encode(_encoder.encode(claims)) == payload else None

"""ID tokens (OpenID Connect Core 1.0 §3.1.3.7): what a provider says of who signed in, and whether it is to be believed."""

import hmac
import math
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from joserfc.jws import JWSRegistry

from xumi.kernel import clock
from xumi.kernel.errors import APIException
from xumi.kernel.log import logger
from xumi.modules.oidc.errors import OidcCode
from xumi.modules.oidc.settings import Provider

# Of one signature scheme each with keys that are published; a shared secret (HS256) and none are not among them.
ALGORITHMS = ["RS256", "ES256"]
SKEW_SECONDS = 60
# It was made a moment ago, when the code was exchanged.
MAX_AGE_SECONDS = 600

# Providers may put parameters of their own into the head; `crit` is heeded all the same.
_registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
# Some send their certificates along.
_registry.max_header_length = 8192


def read_keys(document: Mapping[str, Any]) -> KeySet:
    """The keys of a provider that sign; raises ValueError where there is none."""
    published = [
        key for key in document.get("keys") or [] if isinstance(key, dict) and key.get("use", "sig") == "sig"
    ]
    keys: list[RSAKey | ECKey] = []
    for key in published:
        if key.get("kty") == "RSA":
            keys.append(RSAKey.import_key(key))
        elif key.get("kty") == "EC":
            keys.append(ECKey.import_key(key))
    if not keys:
        raise ValueError("the provider publishes no key that signs")
    return KeySet(list(keys))


class UnknownKey(Exception):
    """The token names a key that is not among those that are known."""


def verify(
    token: str, keys: KeySet, provider: Provider, *, nonce: str, access_token: str | None
) -> dict[str, Any]:
    """The claims of a token that this provider has made for us, in answer to the request with this nonce.

    Raises:
        UnknownKey: the provider may have newer keys.
        APIException: PROVIDER_SIGN_IN_FAILED; the log says why.
    """
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS, registry=_registry).claims
    except InvalidKeyIdError as error:
        raise UnknownKey from error
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise refuse(f"its ID token cannot be verified: {type(error).__name__}") from error
    problem = _find_problem(claims, provider, nonce, access_token)
    if problem is not None:
        raise refuse(problem)
    return claims


def refuse(reason: str) -> APIException:
    """The error to raise, after telling the log."""
    logger.warning("sign-in at a provider refused", reason=reason)
    return APIException(OidcCode.PROVIDER_SIGN_IN_FAILED)


def _find_problem(
    claims: Mapping[str, Any], provider: Provider, nonce: str, access_token: str | None
) -> str | None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    subject = claims.get("sub")
    if claims.get("iss") != provider.issuer:
        return "the ID token is another issuer's"
    if provider.client_id not in audiences:
        return "the ID token is for another application"
    if (party is not None or len(audiences) > 1) and party != provider.client_id:
        return "the ID token was given to another application"
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        return "the ID token names nobody"
    if not hmac.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
        return "the ID token answers another request"
    return _find_time_problem(claims) or _find_hash_problem(claims, access_token)


def _find_time_problem(claims: Mapping[str, Any]) -> str | None:
    now = clock.timestamp()
    if _time(claims.get("exp"), 0) + SKEW_SECONDS <= now:
        return "the ID token has expired"
    if not now - MAX_AGE_SECONDS <= _time(claims.get("iat"), 0) <= now + SKEW_SECONDS:
        return "the ID token was not made just now"
    if "nbf" in claims and _time(claims["nbf"], math.inf) > now + SKEW_SECONDS:
        return "the ID token is not valid yet"
    return None


def _time(value: object, otherwise: float) -> float:
    """Seconds since 1970; `otherwise` where it is none, which JSON's readers make of `NaN` too."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else otherwise  # type: ignore[arg-type]


def _find_hash_problem(claims: Mapping[str, Any], access_token: str | None) -> str | None:
    """Both signature schemes use SHA-256, of which the left half counts (§3.1.3.6)."""
    given = claims.get("at_hash")
    if given is None:
        return None
    half = sha256((access_token or "").encode()).digest()[:16]
    expected = urlsafe_b64encode(half).rstrip(b"=")
    return (
        None
        if hmac.compare_digest(str(given).encode(), expected)
        else "the ID token belongs to another access token"
    )

"""Time-based one-time passwords (RFC 6238 over RFC 4226) as authenticator apps make them: SHA-1, 30 seconds, 6 digits."""

import hmac
import secrets
from base64 import b32decode, b32encode
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
DRIFT_STEPS = 1
"""How many steps the app's clock may be behind or ahead (RFC 6238 §5.2)."""

_SECRET_BYTES = 20


def make_secret() -> str:
    """A new shared secret: 160 bits (RFC 4226 §4 R6) in Base32, as apps take it."""
    return b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def make_code(secret: str, step: int) -> str:
    """The code of one step; a step's number is seconds since 1970 divided by 30."""
    mac = hmac.digest(b32decode(secret), step.to_bytes(8), "sha1")
    # Dynamic truncation, RFC 4226 §5.3.
    offset = mac[-1] & 15
    number = int.from_bytes(mac[offset : offset + 4]) & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def find_step(secret: str, code: str, timestamp: float) -> int | None:
    """The step that a code belongs to, of those that count at this time (seconds since 1970); None for a wrong code.

    A code counts once: the caller keeps the step and takes only later ones.
    """
    now, given, found = int(timestamp) // STEP_SECONDS, code.encode(), None
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
        if hmac.compare_digest(make_code(secret, step).encode(), given):
            found = step
    return found


def enrolment_uri(secret: str, issuer: str, account: str) -> str:
    """What an authenticator app reads from a QR code (the format of Google Authenticator's key URIs)."""
    label = quote(f"{issuer}:{account}", safe="")
    facts = {
        "secret": secret,
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP_SECONDS,
    }
    return f"otpauth://totp/{label}?{urlencode(facts, quote_via=quote)}"

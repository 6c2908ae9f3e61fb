"""Time-based one-time passwords: the RFC's own values, what counts when, and what apps are set up with."""

from base64 import b32encode
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from xumi.kernel.auth.totp import STEP_SECONDS, enrolment_uri, find_step, make_code, make_secret

RFC_SECRET = b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("seconds", "code"),
    # RFC 6238, appendix B, SHA-1; the last six of its eight digits.
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    assert make_code(RFC_SECRET, seconds // STEP_SECONDS) == code
    assert find_step(RFC_SECRET, code, seconds) == seconds // STEP_SECONDS


def test_a_code_counts_one_step_before_and_after_its_own() -> None:
    step = 60_000_000
    code = make_code(RFC_SECRET, step)
    seen = [find_step(RFC_SECRET, code, (step + shift) * STEP_SECONDS + 15) for shift in (-2, -1, 0, 1, 2)]
    assert seen == [None, step, step, step, None]


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "-12345"])
def test_what_is_no_code_matches_nothing(code: str) -> None:
    assert find_step(make_secret(), code, 1_800_000_000) is None


def test_an_app_reads_the_uri() -> None:
    secret = make_secret()
    uri = urlsplit(enrolment_uri(secret, "Shop & Co", "wang:小明@example.com"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == "/Shop & Co:wang:小明@example.com"
    assert parse_qs(uri.query) == {
        "secret": [secret],
        "issuer": ["Shop & Co"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
    assert len(secret) == 32

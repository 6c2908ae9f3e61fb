"""Which passwords are accepted: long enough, not among the first that everybody tries, not the user's own name.

No rules of composition and no expiry, as NIST SP 800-63B-4 §3.1.1 recommends.
"""

import gzip
from functools import cache
from importlib.resources import files

from xumi.kernel.auth.password import normalise
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.modules.account.constants import PASSWORD_MAX_LENGTH, PASSWORD_MIN_LENGTH


@cache
def common_passwords() -> frozenset[str]:
    """Some 8,400 of the most common passwords that are long enough, in small letters; read at the first use.

    `common_passwords.LICENSE` says where they come from.
    """
    packed = (files("xumi.modules.account") / "common_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().splitlines())


def find_password_problem(password: str, *names: str | None) -> str | None:
    """Why a password is not accepted, or None. `names` are the user's name and address."""
    text = normalise(password)
    if not PASSWORD_MIN_LENGTH <= len(text) <= PASSWORD_MAX_LENGTH:
        return f"must have {PASSWORD_MIN_LENGTH} to {PASSWORD_MAX_LENGTH} characters, has {len(text)}"
    if text.casefold() in common_passwords():
        return "is one of the passwords that attackers try first: choose another"
    if text.casefold() in {normalise(name).casefold() for name in names if name}:
        return "must not be the user name or the e-mail address"
    return None


def check_password(password: str, *names: str | None, field: str = "password") -> None:
    """Refuse a password that is not accepted.

    Raises:
        APIException: VALIDATION_FAILED, naming `field`.
    """
    if problem := find_password_problem(password, *names):
        raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError(field, problem)])

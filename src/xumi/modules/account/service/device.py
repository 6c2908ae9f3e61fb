"""Known devices: those that the account's owner has signed in on before.

While somebody tries passwords from elsewhere, a known device has guesses of its own, so that the owner still gets in. A
device is known by a random number in a cookie, sealed for one account and its present password: nothing is stored, and
a new password makes all devices strangers.
"""

import secrets

from xumi.kernel.context import current
from xumi.modules.account.models import User

_PURPOSE = "known device"


def make_device_token(user: User) -> str:
    """A token by which a device is recognised later."""
    number = secrets.token_urlsafe(16)
    return f"{number}.{current().resources.tokens.sealer.seal(_PURPOSE, _text(number, user.id, user.password_hash))}"


def find_device(token: str | None, user_id: str, password_hash: str) -> str | None:
    """The number of the device, if the token was made for this account and its present password."""
    number, _, seal = (token or "").partition(".")
    sealer = current().resources.tokens.sealer
    return number if sealer.is_sealed(_PURPOSE, _text(number, user_id, password_hash), seal) else None


def _text(number: str, user_id: str, password_hash: str) -> str:
    return f"{number} {user_id} {password_hash}"

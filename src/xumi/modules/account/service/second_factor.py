"""The rows of second factors: an authenticator app's secret, encrypted, and ten recovery codes, hashed.

The secret is bound to its user: a row that is copied to another user lets nobody in. A code counts once, because the step that it
belongs to is stored with a condition; a recovery code counts once, because using it deletes it.
"""

import secrets
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth import totp
from xumi.kernel.auth.refresh import digest
from xumi.kernel.context import current
from xumi.kernel.errors import APIException
from xumi.modules.account.constants import RECOVERY_CODES
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.models import RecoveryCode, SecondFactor
from xumi.modules.account.repository import ENROLLED
from xumi.modules.account.service.challenge import Kind

# Crockford's Base32: no letter looks like a digit. 16 of them are 80 bits.
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_GROUPS, _GROUP_LENGTH = 4, 4


def subject(user_id: str) -> str:
    """What guesses at a user's codes are counted for."""
    return f"second factor {user_id}"


async def find_next_step(session: AsyncSession, user_id: str, roles: Sequence[str]) -> Kind | None:
    """What a user must do after giving his password: give a code, set up an authenticator app, or nothing more."""
    if await is_enrolled(session, user_id):
        return "totp"
    return "enrol" if current().resources.access.requires_second_factor(roles) else None


async def is_enrolled(session: AsyncSession, user_id: str) -> bool:
    """Whether a user has a confirmed second factor."""
    return await session.scalar(ENROLLED, {"user_id": user_id}) is not None


async def propose(session: AsyncSession, user_id: str) -> str:
    """A new secret, to be confirmed by a code; one that was not confirmed is forgotten. The user must be locked.

    Raises:
        APIException: SECOND_FACTOR_EXISTS.
    """
    if await is_enrolled(session, user_id):
        raise APIException(AccountCode.SECOND_FACTOR_EXISTS)
    await remove(session, user_id)
    secret = totp.make_secret()
    session.add(
        SecondFactor(user_id=user_id, secret=_encrypt(user_id, secret), last_step=0, created_at=clock.now())
    )
    return secret


async def confirm(session: AsyncSession, user_id: str, code: str) -> list[str] | None:
    """Let a proposed secret count if this is a code of it; returns the recovery codes. The user must be locked."""
    if await is_enrolled(session, user_id) or not await _accept_code(session, user_id, _strip(code)):
        return None
    await session.execute(
        update(SecondFactor).where(SecondFactor.user_id == user_id).values(confirmed_at=clock.now())
    )
    return await replace_recovery_codes(session, user_id)


async def accept(session: AsyncSession, user_id: str, code: str) -> bool:
    """Whether this is a code of the user's confirmed app or one of his recovery codes; either is used up by it."""
    if not await is_enrolled(session, user_id):
        return False
    text = _strip(code)
    if len(text) == totp.DIGITS:
        return await _accept_code(session, user_id, text)
    used = delete(RecoveryCode).where(
        RecoveryCode.user_id == user_id, RecoveryCode.digest == _digest(user_id, text)
    )
    return cast(CursorResult[Any], await session.execute(used)).rowcount == 1


async def replace_recovery_codes(session: AsyncSession, user_id: str) -> list[str]:
    """New recovery codes for a user; the old ones no longer count."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [
        "".join(secrets.choice(_LETTERS) for _ in range(_GROUPS * _GROUP_LENGTH))
        for _ in range(RECOVERY_CODES)
    ]
    session.add_all(RecoveryCode(user_id=user_id, digest=_digest(user_id, code)) for code in codes)
    return [
        "-".join(code[n : n + _GROUP_LENGTH] for n in range(0, len(code), _GROUP_LENGTH)) for code in codes
    ]


async def remove(session: AsyncSession, user_id: str) -> bool:
    """Take a user's second factor and recovery codes away; whether there was one."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    removed = await session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
    return cast(CursorResult[Any], removed).rowcount == 1


async def _accept_code(session: AsyncSession, user_id: str, code: str) -> bool:
    stored = await session.scalar(select(SecondFactor.secret).where(SecondFactor.user_id == user_id))
    secret = stored and _decrypt(user_id, stored)
    step = totp.find_step(secret, code, clock.timestamp()) if secret else None
    if not secret or step is None:
        return False
    # Encrypted anew, so that secrets move to a new SECRET_KEY by being used.
    later = (
        update(SecondFactor)
        .where(SecondFactor.user_id == user_id, SecondFactor.secret == stored, SecondFactor.last_step < step)
        .values(last_step=step, secret=_encrypt(user_id, secret))
    )
    return cast(CursorResult[Any], await session.execute(later)).rowcount == 1


def _encrypt(user_id: str, secret: str) -> str:
    # Here and below: who has no second factor does not load the library for encryption.
    from xumi.kernel.secrets import SecretManager

    return SecretManager.encrypt(f"totp {user_id} {secret}")


def _decrypt(user_id: str, stored: str) -> str | None:
    """The secret, if it was encrypted for this user."""
    from xumi.kernel.secrets import SecretManager

    purpose, owner, secret = SecretManager.decrypt(stored).split(" ")
    return secret if (purpose, owner) == ("totp", user_id) else None


def _strip(code: str) -> str:
    return code.replace(" ", "").replace("-", "").lower()


def _digest(user_id: str, code: str) -> str:
    return digest(f"recovery {user_id} {code}")

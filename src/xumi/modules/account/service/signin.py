"""Proving who one is by a password: signing in, and changing the password.

Whatever is wrong (the name, the password, the account disabled, too many guesses), the answer is the same and takes one
evaluation of Argon2.
"""

from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from xumi.kernel import clock
from xumi.kernel.auth.password import hash_password, needs_rehash, verify_nothing, verify_password
from xumi.kernel.auth.principal import Principal
from xumi.kernel.errors import APICode, APIException
from xumi.modules.account.constants import CHALLENGE_SECONDS
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.models import User, comparison_key
from xumi.modules.account.repository import Credentials, find_credentials, lock_users, read_roles
from xumi.modules.account.schemas import Login, PasswordChange, SecondFactorOut, TokensOut
from xumi.modules.account.service import access, guess
from xumi.modules.account.service import session as sessions
from xumi.modules.account.service.captcha import check_captcha, note_failure
from xumi.modules.account.service.challenge import make_challenge
from xumi.modules.account.service.device import find_device, make_device_token
from xumi.modules.account.service.identity import has_password, is_named
from xumi.modules.account.service.policy import check_password
from xumi.modules.account.service.second_factor import find_next_step
from xumi.modules.audit.service import record


class SignedIn(NamedTuple):
    """What a sign-in brings: tokens, and the token by which the device is known from now on."""

    tokens: TokensOut
    device_token: str


async def sign_in(
    session: AsyncSession, login: Login, *, device_token: str | None, user_agent: str
) -> SignedIn | SecondFactorOut:
    """Begin a session by name and password, or ask for a second factor.

    Raises:
        APIException: LOGIN_FAILED, whatever the reason; CAPTCHA_REQUIRED after several failures, whoever is named.
    """
    known = await find_credentials(is_named(login.username))
    # However he was named, these are guesses at one password.
    key = comparison_key(known.username if known is not None else login.username)
    device = known and find_device(device_token, known.id, known.password_hash)
    subject = f"device {device}" if device else f"name {key}"
    await check_captcha(subject, login.captcha_id, login.captcha)
    if not await _is_right(login.password, known, subject):
        await note_failure()
        raise APIException(APICode.LOGIN_FAILED)
    assert known is not None
    replacement = await hash_password(login.password) if needs_rehash(known.password_hash) else None
    user = await _lock_unchanged(session, known)
    if user is None:
        raise APIException(APICode.LOGIN_FAILED)
    if replacement is not None:
        user.password_hash, device = replacement, None
    await guess.give_back(session, subject)
    return await begin_or_ask(session, user, device_token if device else None, user_agent)


async def begin_or_ask(
    session: AsyncSession, user: User, device_token: str | None, user_agent: str
) -> SignedIn | SecondFactorOut:
    """Begin a session of a locked user whose first proof was right, or ask for the second one."""
    roles = (await read_roles(session, [user.id]))[user.id]
    next_step = await find_next_step(session, user.id, sorted(roles))
    if next_step is not None:
        challenge = make_challenge(next_step, user)
        return SecondFactorOut(second_factor=next_step, challenge=challenge, expires_in=CHALLENGE_SECONDS)
    return await begin(session, user, device_token, user_agent)


async def begin(session: AsyncSession, user: User, device_token: str | None, user_agent: str) -> SignedIn:
    """Begin a session of a locked user who has proved who he is. `device_token` is that of a device that is known."""
    user.last_login_at = clock.now()
    # Signing in is no change of the account: `updated_at` is sent as it is.
    flag_modified(user, "updated_at")
    roles = (await read_roles(session, [user.id]))[user.id]
    tokens = sessions.begin(session, user, sorted(roles), user_agent)
    return SignedIn(tokens, device_token or make_device_token(user))


async def change_password(session: AsyncSession, principal: Principal, change: PasswordChange) -> None:
    """Set one's own password; every other session ends, and this one's access token wants to be refreshed.

    Raises:
        APIException: PASSWORD_WRONG, or VALIDATION_FAILED when the new one is not accepted.
    """
    known = await find_credentials(User.id == principal.user_id)
    subject = f"session {principal.session_id}"
    if not await _is_right(change.old_password, known, subject):
        raise APIException(AccountCode.PASSWORD_WRONG)
    assert known is not None
    check_password(change.new_password, known.username, known.email, field="new_password")
    replacement = await hash_password(change.new_password)
    user = await _lock_unchanged(session, known)
    if user is None:
        raise APIException(AccountCode.PASSWORD_WRONG)
    user.password_hash = replacement
    await guess.give_back(session, subject)
    access.raise_epoch(session, user)
    await sessions.drop(session, user.id, but=principal.session_id)
    record(session, "user.password_changed", f"user:{user.id}", None, None)


async def check_own_password(session: AsyncSession, principal: Principal, password: str) -> User:
    """The caller, locked, if this is his password.

    Raises:
        APIException: PASSWORD_WRONG.
    """
    known = await find_credentials(User.id == principal.user_id)
    subject = f"session {principal.session_id}"
    if not await _is_right(password, known, subject):
        raise APIException(AccountCode.PASSWORD_WRONG)
    assert known is not None
    user = await _lock_unchanged(session, known)
    if user is None:
        raise APIException(AccountCode.PASSWORD_WRONG)
    await guess.give_back(session, subject)
    return user


async def _is_right(password: str, known: Credentials | None, subject: str) -> bool:
    """Whether the password is the user's, if it may be evaluated at all. Always evaluates once."""
    may_guess = await guess.reserve(subject)
    if known is None or not known.enabled or not may_guess or not has_password(known.password_hash):
        await verify_nothing(password)
        return False
    return await verify_password(password, known.password_hash)


async def _lock_unchanged(session: AsyncSession, known: Credentials) -> User | None:
    """The user, locked; None when the account has changed since the password was looked at."""
    for user in await lock_users(session, [known.id]):
        if user.enabled and user.password_hash == known.password_hash:
            return user
    return None

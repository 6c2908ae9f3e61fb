"""Users whom somebody else vouches for, such as an OpenID provider: the door for the features that speak to him."""

import re
import secrets
import unicodedata

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth.password import hash_password
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.events import publish
from xumi.modules.account.constants import NO_PASSWORD, USERNAME_MAX_LENGTH
from xumi.modules.account.enums import Role
from xumi.modules.account.events import UserRegistered
from xumi.modules.account.models import User, UserSession, comparison_key
from xumi.modules.account.repository import lock_users
from xumi.modules.account.schemas import Email, SecondFactorOut, TokensOut
from xumi.modules.account.service.identity import bind, confirm_email, find_user_id
from xumi.modules.account.service.signin import begin_or_ask
from xumi.modules.account.service.user import add_user
from xumi.modules.audit.service import record

__all__ = [
    "SecondFactorOut",
    "TokensOut",
    "begin_session",
    "bind",
    "find_user_id",
    "has_session",
    "is_address",
    "is_taken",
    "provision",
]

_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_TRIES = 5
_address: TypeAdapter[str] = TypeAdapter(Email)


async def begin_session(session: AsyncSession, user_id: str, user_agent: str) -> TokensOut | SecondFactorOut:
    """Sign in a user who was shown to be this one; a second factor is asked for as after a password.

    Raises:
        APIException: LOGIN_FAILED, he is gone or disabled.
    """
    users = await lock_users(session, [user_id])
    if not users or not users[0].enabled:
        raise APIException(APICode.LOGIN_FAILED)
    begun = await begin_or_ask(session, users[0], None, user_agent)
    return begun if isinstance(begun, SecondFactorOut) else begun.tokens


async def has_session(session: AsyncSession, user_id: str, session_id: str) -> bool:
    """Whether this session of an enabled user goes on."""
    statement = (
        select(UserSession.id)
        .join(User, User.id == UserSession.user_id)
        .where(UserSession.id == session_id, User.id == user_id, User.enabled)
        .where(UserSession.expires_at > clock.now())
    )
    return await session.scalar(statement) is not None


def is_address(text: str) -> bool:
    """Whether an account can have this address."""
    try:
        _address.validate_python(text)
    except ValidationError:
        return False
    return True


async def is_taken(session: AsyncSession, email: str) -> bool:
    """Whether an account has this address."""
    return await session.scalar(select(User.id).where(User.email_key == comparison_key(email))) is not None


async def provision(session: AsyncSession, *, name: str, email: str | None) -> str:
    """Make an account without a password and with the role `user`; returns its id.

    Args:
        session: the caller's.
        name: what the user would like to be called; where it is taken, something is put behind it.
        email: an address that was shown to be his, and that nobody has.
    """
    # No password has this hash, and looking at it must take as long as at any other.
    password_hash = NO_PASSWORD + await hash_password(secrets.token_urlsafe(32))
    wanted = _make_username(name)
    for attempt in range(_TRIES):
        username = wanted if attempt == 0 else f"{wanted[: USERNAME_MAX_LENGTH - 7]}-{secrets.token_hex(3)}"
        if await session.scalar(select(User.id).where(User.username_key == comparison_key(username))) is None:
            break
    user = await add_user(
        session, username=username, email=email, password_hash=password_hash, roles={Role.USER}
    )
    if email is not None:
        await confirm_email(session, user)
        publish(UserRegistered(user_id=user.id, username=username, email=email))
    record(session, "user.provisioned", f"user:{user.id}", None, {"username": username, "email": email})
    return user.id


def _make_username(text: str) -> str:
    cleaned = _NOT_IN_NAMES.sub("-", unicodedata.normalize("NFKC", text)).strip("-.")
    # Case folding may make it longer.
    return cleaned[: USERNAME_MAX_LENGTH // 3] or "user"

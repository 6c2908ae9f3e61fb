"""A forgotten password: a link to the address that the account has, and a new password by that link.

Whoever asks gets one answer, and in the same time: what the request does is the same for known and unknown addresses, because
the account is looked for later, by a job.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import counters, mail
from xumi.kernel.auth.password import hash_password
from xumi.kernel.auth.refresh import digest
from xumi.kernel.errors import APIException
from xumi.kernel.jobs import job
from xumi.modules.account.constants import MAX_RESETS, RESET_SECONDS, RESET_WINDOW_SECONDS
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.models import User, comparison_key
from xumi.modules.account.repository import find_credentials, lock_users
from xumi.modules.account.schemas import PasswordForgot, PasswordRestore
from xumi.modules.account.service import access, identity, letter, onetime
from xumi.modules.account.service.policy import check_password
from xumi.modules.account.service.session import drop as drop_sessions
from xumi.modules.audit.service import record

PURPOSE = "password reset"


async def ask(session: AsyncSession, data: PasswordForgot) -> None:
    """Send a link to whoever has this address, if anybody has. More often than a few times an hour nothing is sent.

    Raises:
        APIException: MAIL_UNAVAILABLE.
    """
    mail.check_available()
    key = comparison_key(data.email)
    name = f"password reset {digest(key)}"
    if await counters.take(name, 1, limit=MAX_RESETS, window_seconds=RESET_WINDOW_SECONDS, session=session):
        await send_link.enqueue(email_key=key)


@job("account.send_reset_link", retries=5)
async def send_link(session: AsyncSession, email_key: str) -> None:
    """Send the link to the address as the account has it, not as somebody has spelt it."""
    user = await session.scalar(select(User).where(User.email_key == email_key, User.enabled))
    if user is None or user.email is None:
        return
    token = await onetime.issue(
        session, PURPOSE, user.id, seconds=RESET_SECONDS, binding=onetime.bind_to(user)
    )
    await letter.send_reset(user.email, user.username, token)


async def restore(session: AsyncSession, data: PasswordRestore) -> None:
    """Set a new password by the link. All access of the account ends, and every other link of it is void.

    Raises:
        APIException: ONE_TIME_TOKEN_INVALID; VALIDATION_FAILED when the password is not accepted, after which the link still
            works.
    """
    issued = await onetime.get_issued(PURPOSE, data.token)
    known = await find_credentials(User.id == issued.subject)
    if known is None or not known.enabled:
        raise APIException(AccountCode.ONE_TIME_TOKEN_INVALID)
    check_password(data.password, known.username, known.email)
    replacement = await hash_password(data.password)
    users = await lock_users(session, [known.id])
    if not users or not users[0].enabled:
        raise APIException(AccountCode.ONE_TIME_TOKEN_INVALID)
    user = users[0]
    await onetime.use(session, issued, data.token, binding=onetime.bind_to(user))
    user.password_hash = replacement
    if user.email is not None:
        await identity.confirm_email(session, user)
        await letter.send_password_notice(user.email, user.username)
    access.raise_epoch(session, user)
    await drop_sessions(session, user.id)
    await onetime.void(session, [user.id])
    record(session, "password.reset", f"user:{user.id}", None, None)

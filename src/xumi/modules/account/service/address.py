"""Another e-mail address for one's account: it counts once a link that was sent there has been opened."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import mail
from xumi.kernel.auth.principal import Principal
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.modules.account.constants import RESET_SECONDS
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.repository import lock_users
from xumi.modules.account.schemas import EmailChange, EmailConfirm
from xumi.modules.account.service import identity, letter, onetime
from xumi.modules.account.service.signin import check_own_password
from xumi.modules.audit.service import record

PURPOSE = "e-mail"


async def ask(session: AsyncSession, principal: Principal, data: EmailChange) -> None:
    """Send a link to the new address. Whether somebody has it already, only who reads its mail learns.

    Raises:
        APIException: PASSWORD_WRONG; MAIL_UNAVAILABLE.
    """
    mail.check_available()
    user = await check_own_password(session, principal, data.password)
    token = await onetime.issue(
        session, PURPOSE, user.id, seconds=RESET_SECONDS, binding=onetime.bind_to(user), email=data.email
    )
    await letter.send_confirmation(data.email, user.username, token)


async def confirm(session: AsyncSession, data: EmailConfirm) -> None:
    """Make the new address the account's.

    Raises:
        APIException: ONE_TIME_TOKEN_INVALID; DUPLICATE, somebody else has the address.
    """
    issued = await onetime.get_issued(PURPOSE, data.token)
    users = await lock_users(session, [issued.subject])
    if not users or not users[0].enabled or issued.email is None:
        raise APIException(AccountCode.ONE_TIME_TOKEN_INVALID)
    user, before = users[0], users[0].email
    await onetime.use(session, issued, data.token, binding=onetime.bind_to(user))
    try:
        async with session.begin_nested():
            user.email = issued.email
    except IntegrityError as error:
        raise APIException(
            APICode.DUPLICATE, errors=[FieldError("email", "is taken: choose another")]
        ) from error
    await identity.confirm_email(session, user)
    if before is not None:
        await letter.send_address_notice(before, user.username)
    record(session, "email.changed", f"user:{user.id}", {"email": before}, {"email": user.email})

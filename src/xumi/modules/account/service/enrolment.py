"""One's own second factor: setting an authenticator app up, taking it away, new recovery codes.

Each of these needs the password, and what weakens the account a code as well: a stolen access token alone changes nothing.
"""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth.principal import Principal
from xumi.kernel.auth.totp import enrolment_uri
from xumi.kernel.context import current
from xumi.kernel.db.read import fetch_value, primary
from xumi.kernel.errors import APIException
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.models import RecoveryCode, SecondFactor, User
from xumi.modules.account.repository import lock_users
from xumi.modules.account.schemas import EnrolmentOut, FactorProof, SecondFactorState
from xumi.modules.account.service import guess, second_factor
from xumi.modules.account.service import session as sessions
from xumi.modules.account.service.signin import check_own_password
from xumi.modules.audit.service import record


async def get_state(principal: Principal) -> SecondFactorState:
    """Whether the caller has a second factor, and whether a role of his requires one."""
    factor = select(SecondFactor.confirmed_at).where(SecondFactor.user_id == principal.user_id)
    codes = select(func.count()).where(RecoveryCode.user_id == principal.user_id)
    with primary():
        enrolled_at, left = await fetch_value(factor), await fetch_value(codes)
    required = current().resources.access.requires_second_factor(principal.roles)
    return SecondFactorState(enrolled_at=enrolled_at, recovery_codes_left=left, required=required)


async def begin(session: AsyncSession, principal: Principal, password: str) -> EnrolmentOut:
    """A new secret for the caller, to be confirmed by a code.

    Raises:
        APIException: PASSWORD_WRONG, SECOND_FACTOR_EXISTS.
    """
    return await propose(session, await check_own_password(session, principal, password))


async def propose(session: AsyncSession, user: User) -> EnrolmentOut:
    """A new secret for a locked user, to be confirmed by a code.

    Raises:
        APIException: SECOND_FACTOR_EXISTS.
    """
    secret = await second_factor.propose(session, user.id)
    issuer = current().resources.settings.second_factor_issuer
    return EnrolmentOut(secret=secret, uri=enrolment_uri(secret, issuer, user.username))


async def confirm(session: AsyncSession, principal: Principal, code: str) -> list[str]:
    """Let the caller's new secret count; returns the recovery codes. His other sessions end.

    Raises:
        APIException: SECOND_FACTOR_FAILED.
    """
    subject = second_factor.subject(principal.user_id)
    if not await guess.reserve(subject):
        raise APIException(AccountCode.SECOND_FACTOR_FAILED)
    users = await lock_users(session, [principal.user_id])
    if not users:
        raise APIException(AccountCode.SECOND_FACTOR_FAILED)
    codes = await complete(session, users[0], code, kept_session_id=principal.session_id)
    await guess.give_back(session, subject)
    return codes


async def complete(session: AsyncSession, user: User, code: str, *, kept_session_id: str) -> list[str]:
    """Let a locked user's new secret count; his sessions but one, which began without a second factor, end.

    Raises:
        APIException: SECOND_FACTOR_FAILED.
    """
    codes = await second_factor.confirm(session, user.id, code)
    if codes is None:
        raise APIException(AccountCode.SECOND_FACTOR_FAILED)
    record(session, "second_factor.enrolled", f"user:{user.id}", None, {"kind": "totp"})
    await sessions.end_others(session, user.id, kept_session_id)
    return codes


async def disable(session: AsyncSession, principal: Principal, proof: FactorProof) -> None:
    """Take the caller's second factor away. Where a role requires one, he must set up another at his next sign-in.

    Raises:
        APIException: PASSWORD_WRONG, SECOND_FACTOR_FAILED.
    """
    user = await _prove(session, principal, proof)
    await second_factor.remove(session, user.id)
    record(session, "second_factor.disabled", f"user:{user.id}", {"kind": "totp"}, None)


async def renew_recovery_codes(session: AsyncSession, principal: Principal, proof: FactorProof) -> list[str]:
    """Ten new recovery codes for the caller; the old ones no longer count.

    Raises:
        APIException: PASSWORD_WRONG, SECOND_FACTOR_FAILED.
    """
    user = await _prove(session, principal, proof)
    record(session, "recovery_codes.renewed", f"user:{user.id}", None, None)
    return await second_factor.replace_recovery_codes(session, user.id)


async def _prove(session: AsyncSession, principal: Principal, proof: FactorProof) -> User:
    """The caller, locked, if the password and the code are his."""
    subject = second_factor.subject(principal.user_id)
    if not await guess.reserve(subject):
        raise APIException(AccountCode.SECOND_FACTOR_FAILED)
    user = await check_own_password(session, principal, proof.password)
    if not await second_factor.accept(session, user.id, proof.code):
        raise APIException(AccountCode.SECOND_FACTOR_FAILED)
    await guess.give_back(session, subject)
    return user

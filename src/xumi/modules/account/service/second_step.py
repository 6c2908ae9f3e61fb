"""The second step of a sign-in: a code of the authenticator app, or setting one up where a role requires it.

Codes are guessed at like passwords: ten guesses in any fifteen minutes for an account, and as many for each known device of it. Who
has not given the right password cannot use them up.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.errors import APIException
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.models import User
from xumi.modules.account.repository import Credentials
from xumi.modules.account.schemas import EnrolmentOut, SecondStep
from xumi.modules.account.service import enrolment, guess, second_factor
from xumi.modules.account.service.challenge import Kind, find_challenged, lock_challenged, use_up
from xumi.modules.account.service.device import find_device
from xumi.modules.account.service.signin import SignedIn, begin


async def finish(
    session: AsyncSession, step: SecondStep, *, device_token: str | None, user_agent: str
) -> SignedIn:
    """Begin a session by a challenge and a code of the app, or a recovery code.

    Raises:
        APIException: SECOND_FACTOR_FAILED, whatever the reason.
    """
    known = await _find("totp", step.challenge)
    device = find_device(device_token, known.id, known.password_hash)
    subject = f"second factor, device {device}" if device else second_factor.subject(known.id)
    user = await _guess(session, step.challenge, known, subject)
    if not await second_factor.accept(session, user.id, step.code) or not await use_up(
        session, step.challenge
    ):
        raise APIException(AccountCode.SECOND_FACTOR_FAILED)
    await guess.give_back(session, subject)
    return await begin(session, user, device_token if device else None, user_agent)


async def propose(session: AsyncSession, challenge: str) -> EnrolmentOut:
    """A new secret for somebody whose role requires a second factor, and who has none; he goes on with the same challenge.

    Raises:
        APIException: SECOND_FACTOR_FAILED, SECOND_FACTOR_EXISTS.
    """
    known = await _find("enrol", challenge)
    return await enrolment.propose(session, await _lock(session, challenge, known))


async def confirm(session: AsyncSession, step: SecondStep, *, user_agent: str) -> tuple[SignedIn, list[str]]:
    """Begin a session by a challenge and the first code of the app that was just set up; with the recovery codes.

    Raises:
        APIException: SECOND_FACTOR_FAILED, whatever the reason.
    """
    known = await _find("enrol", step.challenge)
    subject = second_factor.subject(known.id)
    user = await _guess(session, step.challenge, known, subject)
    codes = await enrolment.complete(session, user, step.code, kept_session_id="")
    if not await use_up(session, step.challenge):
        raise APIException(AccountCode.SECOND_FACTOR_FAILED)
    await guess.give_back(session, subject)
    return await begin(session, user, None, user_agent), codes


async def _find(kind: Kind, challenge: str) -> Credentials:
    known = await find_challenged(kind, challenge)
    if known is None:
        raise APIException(AccountCode.SECOND_FACTOR_FAILED)
    return known


async def _lock(session: AsyncSession, challenge: str, known: Credentials) -> User:
    user = await lock_challenged(session, challenge, known)
    if user is None:
        raise APIException(AccountCode.SECOND_FACTOR_FAILED)
    return user


async def _guess(session: AsyncSession, challenge: str, known: Credentials, subject: str) -> User:
    """The user, locked, if another code may be tried for him."""
    if not await guess.reserve(subject):
        raise APIException(AccountCode.SECOND_FACTOR_FAILED)
    return await _lock(session, challenge, known)

"""Captchas: who has failed to sign in some times must read a picture before the next try.

Failures are counted for the account's name, known or not, and for the client's address. A captcha's id is sealed together with its
answer, so that nothing is stored until it is used; it can be used once, right or wrong, within two minutes.
"""

import secrets
from base64 import b64encode

from xumi.kernel import clock, counters
from xumi.kernel.auth.refresh import digest
from xumi.kernel.context import current
from xumi.kernel.errors import APIException
from xumi.kernel.http.client_address import rate_limit_caller
from xumi.modules.account.constants import CAPTCHA_LENGTH, CAPTCHA_SECONDS
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.schemas import CaptchaOut
from xumi.modules.account.service import guess
from xumi.modules.account.service.captcha_image import FONT, draw

_ID, _ANSWER = "captcha", "captcha answer"
_LETTERS = "".join(FONT)


def make_captcha() -> CaptchaOut:
    """A new picture."""
    answer = "".join(secrets.choice(_LETTERS) for _ in range(CAPTCHA_LENGTH))
    sealer = current().resources.tokens.sealer
    facts = f"{int(clock.timestamp()) + CAPTCHA_SECONDS}.{secrets.token_urlsafe(16)}"
    captcha_id = f"{facts}.{sealer.seal(_ID, facts)}.{sealer.seal(_ANSWER, f'{facts} {answer}')}"
    image = f"data:image/png;base64,{b64encode(draw(answer)).decode()}"
    return CaptchaOut(captcha_id=captcha_id, image=image, expires_in=CAPTCHA_SECONDS)


async def check_captcha(subject: str, captcha_id: str | None, answer: str | None) -> None:
    """Let a guess at a password be made, with a captcha where there were too many failures.

    Args:
        subject: what guesses are counted for (see `guess`).
        captcha_id: that of the picture.
        answer: what was read in it.

    Raises:
        APIException: CAPTCHA_REQUIRED; also after a wrong answer.
    """
    limit = current().resources.settings.captcha_after_failures
    if not limit or await guess.count([subject, _address()]) < limit:
        return
    if captcha_id is None or answer is None or not await _use(captcha_id, answer):
        raise APIException(AccountCode.CAPTCHA_REQUIRED)


async def note_failure() -> None:
    """Count a failed sign-in for the client's address."""
    if current().resources.settings.captcha_after_failures:
        await guess.reserve(_address())


def _address() -> str:
    return f"address {rate_limit_caller(current().ip)}"


async def _use(captcha_id: str, answer: str) -> bool:
    """Whether this is what the picture shows; it cannot be used again."""
    sealer, parts = current().resources.tokens.sealer, captcha_id.split(".")
    if len(parts) != 4:
        return False
    until, number, seal, answer_seal = parts
    facts = f"{until}.{number}"
    # Only what is ours is counted, so that strangers cannot fill the table with inventions.
    if not sealer.is_sealed(_ID, facts, seal) or int(until) < clock.timestamp():
        return False
    name = f"captcha {digest(facts)}"
    if not await counters.take(name, 1, limit=1, window_seconds=2 * CAPTCHA_SECONDS):
        return False
    return sealer.is_sealed(_ANSWER, f"{facts} {answer.strip().upper()}", answer_seal)

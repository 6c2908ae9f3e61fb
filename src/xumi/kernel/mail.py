"""Letters by e-mail: written in the caller's transaction, sent by a job.

    await mail.send(to="amy@example.com", subject="Welcome", text="…")

If the transaction fails there is no letter; once it has succeeded, the letter is tried again until the server at `MAIL_URL` takes
it. It may arrive twice if the worker dies, or the connection breaks, between the server's word and ours: both have the same
`Message-ID`. Letters may hold secrets (a link that resets a password), so that what waits in the queue is encrypted.
Without `MAIL_URL` letters are written to the log, links and all; in production `send` refuses instead.
"""

import re

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.config import CONFIG
from xumi.kernel.config.mail_url import parse_mail_url, parse_sender
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.jobs import job, running_job
from xumi.kernel.log import logger

MAX_SUBJECT_LENGTH = 200

_ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f@<>()\[\],;:\\\"]{1,64}@[^\s\x00-\x1f\x7f@<>()\[\],;:\\\"]{1,253}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


class Letter(msgspec.Struct, frozen=True):
    """One letter: plain text to one address."""

    to: str
    subject: str
    text: str


def check_available() -> None:
    """Refuse where letters cannot leave; call it before promising one.

    Raises:
        APIException: MAIL_UNAVAILABLE, production has no `MAIL_URL`.
    """
    if CONFIG.mail_url is None and CONFIG.app_env == "production":
        raise APIException(APICode.MAIL_UNAVAILABLE)


def public_url(path: str) -> str:
    """The address of a page or endpoint as browsers reach it; never taken from a request, which may lie about its host."""
    return (CONFIG.public_url or f"http://{CONFIG.host}:{CONFIG.port}") + path


async def send(*, to: str, subject: str, text: str) -> str:
    """Send a letter once the running unit of work has been committed; returns the id of its job.

    Raises:
        ValueError: the address or the subject cannot stand in a letter's head.
        APIException: MAIL_UNAVAILABLE.
    """
    # It takes 40 ms to import: who sends no letter does not pay for it.
    from xumi.kernel.secrets import SecretManager

    check_available()
    if not _ADDRESS.fullmatch(to):
        raise ValueError(f"{to!r} is no address that a letter could be sent to.")
    encode_domain(to.rpartition("@")[2])
    if _CONTROL.search(subject) or len(subject) > MAX_SUBJECT_LENGTH:
        raise ValueError(f"A subject is one line of at most {MAX_SUBJECT_LENGTH} characters.")
    letter = msgspec.json.encode(Letter(to, subject, text)).decode()
    return await deliver.enqueue(letter=SecretManager.encrypt(letter))


@job(retries=8, backoff_seconds=30, timeout_seconds=120)
async def deliver(session: AsyncSession, letter: str) -> str:
    """Hand a letter over to the server; what the server will never take is given up and told to the log."""
    from xumi.kernel.secrets import SecretManager

    content = msgspec.json.decode(SecretManager.decrypt(letter), type=Letter)
    check_available()
    if CONFIG.mail_url is None:
        logger.info("letter", to=content.to, subject=content.subject, text=content.text)
        return "written to the log"
    from xumi.kernel import smtp

    message = smtp.compose(
        parse_sender(CONFIG.mail_from), content.to, content.subject, content.text, running_job().id
    )
    try:
        await smtp.hand_over(parse_mail_url(CONFIG.mail_url), message)
    except smtp.Refused as error:
        logger.warning("letter refused", code=error.code, reason=error.reason)
        return f"refused: {error.code} {error.reason}"[:500]
    return "sent"


def encode_domain(domain: str) -> str:
    """A domain as the network knows it (IDNA).

    Raises:
        ValueError: it cannot be one.
    """
    return domain if domain.isascii() else domain.encode("idna").decode()

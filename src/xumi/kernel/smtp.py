"""Speaks to the server at `MAIL_URL` (RFC 5321); who sends letters calls `xumi.kernel.mail`.

Python's own smtplib, which blocks, on threads of its own: a letter takes a second of waiting and no computing, and nothing has to be
installed. Its one weakness, that a thread cannot be cancelled, is met by cutting the connection.
"""

import asyncio
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from threading import Event

from xumi.kernel import clock
from xumi.kernel.config.mail_url import MailServer
from xumi.kernel.mail import encode_domain

# What the server may take for one answer. The whole conversation is bounded by the job's time.
ANSWER_SECONDS = 15.0

_threads = ThreadPoolExecutor(4, thread_name_prefix="mail")


class Refused(Exception):
    """The server will never take this letter; `code` and `reason` are its words."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def compose(sender: tuple[str, str], to: str, subject: str, text: str, letter_id: str) -> EmailMessage:
    """The message to one address.

    Args:
        sender: name and address.
        to, subject, text: of the letter.
        letter_id: the same at every try.
    """
    user, _, domain = to.rpartition("@")
    name, address = sender
    sender_user, _, sender_domain = address.rpartition("@")
    message = EmailMessage(policy=SMTP if user.isascii() else SMTPUTF8)
    message["From"] = Address(name, sender_user, encode_domain(sender_domain))
    message["To"] = Address("", user, encode_domain(domain))
    message["Subject"] = subject
    message["Date"] = format_datetime(clock.now())
    # By this a mailbox can tell that two are one.
    message["Message-ID"] = f"<{letter_id}@{encode_domain(sender_domain)}>"
    # No answering machine shall answer (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


async def hand_over(server: MailServer, message: EmailMessage) -> None:
    """Speak to the server on a thread. Who is cancelled ends the conversation, so that no letter leaves behind his back.

    Raises:
        Refused: the server will never take this letter.
        SMTPException, OSError: it may take it later.
    """
    connection = _Connection(server, message)
    try:
        await asyncio.get_running_loop().run_in_executor(_threads, connection.run)
    except smtplib.SMTPRecipientsRefused as error:
        ((code, answer),) = error.recipients.values()
        _refuse_for_ever(code, answer)
        raise
    except smtplib.SMTPDataError as error:
        _refuse_for_ever(error.smtp_code, error.smtp_error)
        raise
    except smtplib.SMTPNotSupportedError as error:
        raise Refused(553, "the server does not take such addresses") from error
    finally:
        connection.cut()


def _refuse_for_ever(code: int, answer: bytes | str) -> None:
    """From 500 on a server says that the same letter will never do (RFC 5321 §4.2.1)."""
    if code >= 500:
        raise Refused(code, answer.decode(errors="replace") if isinstance(answer, bytes) else answer)


class _Connection:
    """One conversation with a server."""

    def __init__(self, server: MailServer, message: EmailMessage) -> None:
        self._server = server
        self._message = message
        self._context = None if server.tls == "none" else ssl.create_default_context()
        # Our name for EHLO; smtplib would ask the resolver, which may take long.
        name = message["Message-ID"].rpartition("@")[2].rstrip(">")
        if server.tls == "implicit":
            self._smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                local_hostname=name, timeout=ANSWER_SECONDS, context=self._context
            )
        else:
            self._smtp = smtplib.SMTP(local_hostname=name, timeout=ANSWER_SECONDS)
        # What `starttls` and `smtplib.SMTP_SSL` check the certificate against; `connect` does not set it.
        self._smtp._host = server.host  # type: ignore[attr-defined]
        self._cut = Event()

    def run(self) -> None:
        """Say it all; blocks."""
        smtp, server = self._smtp, self._server
        try:
            smtp.connect(server.host, server.port)
            self._enter()
            if self._cut.is_set():
                return
            smtp.send_message(self._message)
            # The letter is theirs now, whatever becomes of the farewell.
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()
        finally:
            smtp.close()

    def _enter(self) -> None:
        """Begin to encrypt, and sign in."""
        smtp, server = self._smtp, self._server
        try:
            if server.tls == "starttls":
                smtp.starttls(context=self._context)
            if server.user is not None and server.password is not None:
                smtp.login(server.user, server.password)
        except smtplib.SMTPNotSupportedError as error:
            # Not the letter's fault: another kind of error, which is tried again.
            raise smtplib.SMTPException(
                f"The server at MAIL_URL does not offer what is asked of it: {error}"
            ) from error

    def cut(self) -> None:
        """End it, wherever it is."""
        self._cut.set()
        found = self._smtp.sock
        if found is not None:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)

"""A real SMTP server of this machine that keeps what it takes, and a worker that sends what waits."""

import email
import email.policy
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as SmtpSession
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.kernel.jobs.sample import until_ended, working
from xumi.kernel.resources import Resources

USER, SECRET = "xumi@example.com", "a secret: with /odd characters?"


class Mailbox:
    """What has arrived.

    Attributes:
        letters: in the order of their arrival.
        recipients: whom they were for, as the envelope says.
        answers: what the server says to the next letters instead of taking them.
        port: where it listens.
    """

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answers: list[str] = []
        self.port = 0

    async def handle_DATA(self, _server: object, _session: SmtpSession, envelope: Envelope) -> str:  # noqa: N802
        """Take a letter, as aiosmtpd asks."""
        if self.answers:
            return self.answers.pop(0)
        content = cast(bytes, envelope.content)
        message = email.message_from_bytes(content, policy=email.policy.default)
        self.letters.append(cast(EmailMessage, message))
        self.recipients += [str(address) for address in envelope.rcpt_tos]
        return "250 taken"

    def text(self, number: int = -1) -> str:
        """The text of a letter."""
        return cast(str, self.letters[number].get_content()).replace("\r\n", "\n")

    def secret(self, number: int = -1) -> str:
        """The one-time token in a letter: what stands behind the `#` of its link."""
        found = re.search(r"https?://\S+#(\S+)", self.text(number))
        assert found is not None, self.text(number)
        return found[1]


@contextmanager
def run_mailbox(**options: Any) -> Iterator[Mailbox]:
    """A server without TLS, or with what aiosmtpd's `Controller` takes."""
    mailbox = Mailbox()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        mailbox.port = taken.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, **options)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def authenticate(_server: object, _session: object, _envelope: object, _how: str, data: Any) -> AuthResult:
    """Whether a client knows user and password."""
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        SECRET.encode(),
    )
    return AuthResult(success=known, handled=False)


async def send_all(resources: Resources) -> None:
    """Run every job that is due, and what those enqueue."""
    with resources.context("test"):
        async with working(resources):
            await until_ended()


def make_certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for 127.0.0.1, and the file by which clients trust it."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")]),
    )
    now, loopback = datetime.now(UTC), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, folder / "key.pem")
    return context, file

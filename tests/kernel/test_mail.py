"""Letters: sent once their transaction is committed, to a real SMTP server, through what networks and servers do."""

import asyncio
import email.header
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from sqlalchemy import select

from tests.conftest import make_settings
from tests.kernel.jobs.sample import job_row, until_ended, working
from tests.mailbox import SECRET, USER, Mailbox, authenticate, make_certificate, run_mailbox, send_all
from xumi.kernel import clock, mail, smtp
from xumi.kernel.config import check_production
from xumi.kernel.config.mail_url import MailServer, parse_mail_url, parse_sender
from xumi.kernel.db.read import fetch_value
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import APIException
from xumi.kernel.jobs import queue
from xumi.kernel.jobs.models import JobRow
from xumi.kernel.log import capture
from xumi.kernel.resources import Resources
from xumi.kernel.secrets import SecretManager
from xumi.kernel.testing.fault_proxy import FaultProxy


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with run_mailbox() as started:
        yield started


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The queue has tests of its own on every database."""
    return sqlite_url


@pytest.fixture
def proxy(mailbox: Mailbox) -> Iterator[FaultProxy]:
    with FaultProxy(mailbox.port) as started:
        yield started


def values(port: int) -> dict[str, object]:
    return {"mail_url": f"smtp://127.0.0.1:{port}?tls=none", "mail_from": "Xumi <no-reply@example.com>"}


@asynccontextmanager
async def started(database_url: str, **settings: object) -> AsyncIterator[Resources]:
    resources = Resources(make_settings(database_url, **settings))
    await resources.start()
    with resources.context("test"):
        try:
            yield resources
        finally:
            await resources.close()


@pytest.fixture
async def resources(database_url: str, mailbox: Mailbox) -> AsyncIterator[Resources]:
    async with started(database_url, **values(mailbox.port)) as resources:
        yield resources


async def write(to: str = "amy@example.com", subject: str = "Welcome", text: str = "Hello\n") -> str:
    async with unit_of_work():
        return await mail.send(to=to, subject=subject, text=text)


async def retried(job_id: str, attempts: int) -> None:
    """Wait until it has failed so often."""
    async with asyncio.timeout(20):
        while (row := await job_row(job_id)).state != "queued" or row.attempt < attempts:
            await asyncio.sleep(0.01)


async def test_a_letter_arrives_as_it_was_written(resources: Resources, mailbox: Mailbox) -> None:
    job_id = await write(subject="欢迎 aboard", text="你好，Amy\n.\nhttps://example.com/#x\n")
    await send_all(resources)
    (letter,) = mailbox.letters
    assert mailbox.recipients == ["amy@example.com"]
    assert (letter["To"], letter["From"]) == ("amy@example.com", "Xumi <no-reply@example.com>")
    assert letter["Subject"] == "欢迎 aboard"
    assert letter["Message-ID"] == f"<{job_id}@example.com>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert mailbox.text() == "你好，Amy\n.\nhttps://example.com/#x\n"
    assert (await job_row(job_id)).result == "sent"


async def test_a_transaction_that_fails_sends_nothing(resources: Resources, mailbox: Mailbox) -> None:
    async def write_and_fail() -> None:
        async with unit_of_work():
            await mail.send(to="amy@example.com", subject="Welcome", text="Hello")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    await write(subject="another")
    await send_all(resources)
    assert [letter["Subject"] for letter in mailbox.letters] == ["another"]


async def test_what_waits_in_the_queue_cannot_be_read(resources: Resources) -> None:
    job_id = await write(text="https://example.com/reset#a-secret-token")
    arguments = await fetch_value(select(JobRow.arguments).where(JobRow.id == job_id))
    assert b"a-secret-token" not in msgspec.json.encode(arguments)
    assert b"amy" not in msgspec.json.encode(arguments)


INJECTIONS = [
    ("amy@example.com\r\nBcc: eve@example.com", "Hello"),
    ("amy@example.com>\nRCPT TO:<eve@example.com", "Hello"),
    ("amy@example.com, eve@example.com", "Hello"),
    ("Amy <amy@example.com>", "Hello"),
    ("amy", "Hello"),
    ("amy@", "Hello"),
    ("amy@" + "ü" * 64 + ".example", "Hello"),
    ("amy@example.com", "Hello\nBcc: eve@example.com"),
    ("amy@example.com", "Hello\rBcc: eve@example.com"),
    ("amy@example.com", "Hello\u2028Bcc: eve@example.com"),
    ("amy@example.com", "Hello\0"),
    ("amy@example.com", "x" * 201),
]


async def test_a_head_cannot_be_injected(resources: Resources) -> None:
    for to, subject in INJECTIONS:
        with pytest.raises(ValueError):
            await write(to, subject)
    assert await fetch_value(select(JobRow.id)) is None


async def test_addresses_of_every_alphabet(resources: Resources, mailbox: Mailbox) -> None:
    await write("amy@bücher.example")
    await write("李@例子.example", subject="你好")
    await write("a..b@example.com")
    await write("{o'brien}+x=%@example.com")
    await send_all(resources)
    assert sorted(mailbox.recipients) == [
        "a..b@example.com",
        "amy@xn--bcher-kva.example",
        "{o'brien}+x=%@example.com",
        "李@xn--fsqu00a.example",
    ]


async def test_what_the_server_will_never_take_is_given_up(resources: Resources, mailbox: Mailbox) -> None:
    mailbox.answers = ["550 no such person"]
    job_id = await write()
    with capture() as said:
        await send_all(resources)
    row = await job_row(job_id)
    assert (row.state, row.attempt, row.result) == ("done", 1, "refused: 550 no such person")
    assert [one["code"] for one in said if one["message"] == "letter refused"] == [550]
    assert mailbox.letters == []


async def test_what_the_server_may_take_later_is_tried_again(resources: Resources, mailbox: Mailbox) -> None:
    mailbox.answers = ["451 greylisted", "421 busy"]
    async with working(resources):
        with clock.travel() as journey, capture():
            job_id = await write()
            for attempt in (1, 2):
                await retried(job_id, attempt)
                later(resources, journey)
            await until_ended()
    assert ((await job_row(job_id)).attempt, len(mailbox.letters)) == (3, 1)


def later(resources: Resources, journey: clock.Journey) -> None:
    """The time of the next try has come, and the worker looks."""
    journey.move(seconds=300)
    resources.notifier.wake(queue.TOPIC)


FAULTS = ("reset", "blackhole", "half_close")


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_letter_outlives_what_networks_do(
    database_url: str, mailbox: Mailbox, proxy: FaultProxy, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "ANSWER_SECONDS", 0.3)
    async with started(database_url, **values(proxy.port)) as resources:
        getattr(proxy, fault)()
        async with working(resources):
            with clock.travel() as journey, capture():
                job_id = await write()
                await retried(job_id, 1)
                proxy.heal()
                later(resources, journey)
                await until_ended()
        assert (await job_row(job_id)).result == "sent"
        assert len(mailbox.letters) == 1


async def test_a_letter_whose_receipt_was_lost_comes_again_under_the_same_id(
    resources: Resources, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = mailbox.handle_DATA

    async def take_and_stumble(*arguments: object) -> str:
        await take(*arguments)  # type: ignore[arg-type]
        return "451 taken, but who knows" if len(mailbox.letters) == 1 else "250 taken"

    monkeypatch.setattr(mailbox, "handle_DATA", take_and_stumble)
    async with working(resources):
        with clock.travel() as journey, capture():
            job_id = await write()
            await retried(job_id, 1)
            later(resources, journey)
            await until_ended()
    assert [letter["Message-ID"] for letter in mailbox.letters] == [f"<{job_id}@example.com>"] * 2


async def test_a_server_that_speaks_for_ever_is_left_and_tried_again(
    database_url: str, mailbox: Mailbox, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail.deliver, "timeout_seconds", 0.3)
    async with started(database_url, **values(proxy.port)) as resources:
        proxy.slow(40)
        async with working(resources):
            with clock.travel() as journey, capture():
                job_id = await write()
                await retried(job_id, 1)
                assert (await job_row(job_id)).error["type"] == "TimedOut"
                while proxy.connections:
                    await asyncio.sleep(0.01)
                proxy.heal()
                monkeypatch.undo()
                later(resources, journey)
                await until_ended()
        assert len(mailbox.letters) == 1


async def test_a_worker_that_is_stopped_ends_the_conversation(
    database_url: str, mailbox: Mailbox, proxy: FaultProxy
) -> None:
    """Otherwise the letter would leave once the network is back, and again with the next try."""
    async with started(database_url, drain_seconds=0.1, **values(proxy.port)) as resources:
        proxy.blackhole()
        with capture():
            async with working(resources):
                job_id = await write()
                while proxy.connections == 0:
                    await asyncio.sleep(0.01)
        proxy.heal()
        assert (await job_row(job_id)).state == "queued"
        await send_all(resources)
        assert len(mailbox.letters) == 1


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A server that wants STARTTLS and a password, with a certificate that this process trusts."""
    context, file = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    options = {"auth_required": True, "authenticator": authenticate, "decode_data": False}
    with run_mailbox(tls_context=context, require_starttls=True, **options) as mailbox:
        yield mailbox


async def test_starttls_and_a_password(database_url: str, trusted: Mailbox) -> None:
    url = f"smtp://{quote(USER)}:{quote(SECRET, safe='')}@127.0.0.1:{trusted.port}"
    async with started(database_url, mail_url=url) as resources:
        await write()
        await send_all(resources)
    assert len(trusted.letters) == 1


async def test_a_wrong_password_is_tried_again_and_is_not_shown(database_url: str, trusted: Mailbox) -> None:
    url = f"smtp://{quote(USER)}:a-wrong-pa55@127.0.0.1:{trusted.port}"
    async with started(database_url, mail_url=url) as resources:
        with capture() as said:
            async with working(resources):
                job_id = await write()
                await retried(job_id, 1)
        row = await job_row(job_id)
        assert row.error["type"] == "SMTPAuthenticationError"
        for secret in ("a-wrong-pa55", "YS13cm9uZy1wYTU1"):
            assert secret not in str(said) + str(row.error)
    assert trusted.letters == []


@pytest.mark.parametrize("user", [f"{quote(USER)}:{quote(SECRET, safe='')}@", ""])
async def test_a_certificate_of_somebody_else_is_not_believed(
    database_url: str, trusted: Mailbox, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with started(database_url, mail_url=f"smtp://{user}127.0.0.1:{trusted.port}") as resources:
        with capture():
            async with working(resources):
                job_id = await write()
                await retried(job_id, 1)
        assert (await job_row(job_id)).error["type"] == "SSLCertVerificationError"


async def test_without_starttls_nothing_is_said(database_url: str, mailbox: Mailbox) -> None:
    """Somebody between us and the server could take the offer out of its greeting."""
    async with started(database_url, mail_url=f"smtp://127.0.0.1:{mailbox.port}") as resources:
        with capture():
            async with working(resources):
                job_id = await write()
                await retried(job_id, 1)
        assert (await job_row(job_id)).error["type"] == "SMTPException"
    assert mailbox.letters == []


async def test_tls_from_the_first_byte(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with run_mailbox(ssl_context=context) as mailbox:
        async with started(database_url, mail_url=f"smtps://127.0.0.1:{mailbox.port}") as resources:
            await write()
            await send_all(resources)
        assert len(mailbox.letters) == 1


async def test_in_development_letters_are_in_the_log_with_their_links(database_url: str) -> None:
    async with started(database_url, app_env="development") as resources:
        link = "https://example.com/reset-password#" + "eyJ" + "a" * 40
        await write(text=f"Choose a new password here: {link}\n")
        with capture() as said:
            await send_all(resources)
        (letter,) = [one for one in said if one["message"] == "letter"]
        assert (letter["to"], letter["subject"]) == ("amy@example.com", "Welcome")
        assert letter["text"] == f"Choose a new password here: {link}\n"


async def test_production_writes_no_letter_to_the_log(database_url: str) -> None:
    """A worker that was started without MAIL_URL leaves letters to those that were not."""
    async with started(database_url, app_env="production") as resources:
        letter = msgspec.json.encode(mail.Letter("amy@example.com", "Welcome", "a-secret-link")).decode()
        with capture() as said:
            async with working(resources):
                async with unit_of_work():
                    job_id = await mail.deliver.enqueue(letter=SecretManager.encrypt(letter))
                await retried(job_id, 1)
        assert "MAIL_UNAVAILABLE" in (await job_row(job_id)).error["message"]
        assert "a-secret-link" not in str(said)


def test_production_wants_a_sender_and_an_address_for_links() -> None:
    problems = check_production(make_settings("sqlite://", mail_url="smtp://smtp.example.com"))
    assert [name for name in ("MAIL_FROM", "PUBLIC_URL") if any(name in problem for problem in problems)] == [
        "MAIL_FROM",
        "PUBLIC_URL",
    ]
    facts = {"mail_from": "a@example.com", "public_url": "https://www.example.com"}
    complete = check_production(make_settings("sqlite://", mail_url="smtp://smtp.example.com", **facts))
    assert not any("MAIL_URL" in problem for problem in complete)


async def test_production_refuses_what_it_cannot_send(database_url: str) -> None:
    async with started(database_url, app_env="production"):
        with pytest.raises(APIException, match="MAIL_UNAVAILABLE"):
            await write()


def test_links_lead_to_the_configured_address(database_url: str) -> None:
    for settings, url in (
        ({}, "http://127.0.0.1:5000"),
        ({"public_url": "https://a.example/x/"}, "https://a.example/x"),
    ):
        with Resources(make_settings(database_url, **settings)).context("test"):
            assert mail.public_url("/reset#1") == f"{url}/reset#1"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://smtp.example.com", MailServer("smtp.example.com", 587, "starttls", None, None)),
        ("smtp://a%40b:c%2Fd@h:25?tls=starttls", MailServer("h", 25, "starttls", "a@b", "c/d")),
        ("smtps://a:b@h", MailServer("h", 465, "implicit", "a", "b")),
        ("smtp://a:b@localhost:25?tls=none", MailServer("localhost", 25, "none", "a", "b")),
    ],
)
def test_mail_urls(url: str, server: MailServer) -> None:
    assert parse_mail_url(url) == server


@pytest.mark.parametrize(
    "url",
    ["http://h", "smtp://", "smtp://h/x", "smtp://h?tls=maybe", "smtps://h?tls=none", "smtp://h?x=1", "smtp://a@h", "smtp://a:b@h?tls=none"],
)  # fmt: skip
def test_other_mail_urls_refuse_to_start(url: str) -> None:
    with pytest.raises(ValueError):
        make_settings("sqlite://", mail_url=url)


def test_senders() -> None:
    assert parse_sender("no-reply@example.com") == ("", "no-reply@example.com")
    assert parse_sender("须弥 Shop <a@b.example>") == ("须弥 Shop", "a@b.example")
    for wrong in (
        "",
        "nobody",
        "a@b.example\nBcc: c@d.example",
        "X a@b.example",
        "X <a@b.example",
        "a@b.example>",
    ):
        with pytest.raises(ValueError):
            make_settings("sqlite://", mail_from=wrong)


def test_a_subject_of_any_alphabet_is_one_line() -> None:
    letter = smtp.compose(("", "a@b.example"), "amy@example.com", "长" * 200, "x", "id")
    assert str(email.header.make_header(email.header.decode_header(letter["Subject"]))) == "长" * 200

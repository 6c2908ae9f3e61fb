"""Captchas: asked for after three failures, whoever is named; each counts once, for a while, on any worker."""

import asyncio
import struct
import zlib
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.conftest import PASSWORD
from tests.modules.account.conftest import Connect, SignIn
from xumi.api import Application, create_app
from xumi.kernel import clock
from xumi.kernel.config import Settings
from xumi.kernel.testing.client import running
from xumi.modules.account.constants import CAPTCHA_LENGTH, CAPTCHA_SECONDS, GUESS_WINDOW_SECONDS
from xumi.modules.account.service import captcha, signin
from xumi.modules.account.service.captcha_image import FONT, HEIGHT, WIDTH, draw

# Where what is tested does not depend on the database.
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FAILED, REQUIRED = (401, 40103), (401, 40111)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The default, which the other tests switch off."""
    return settings.model_copy(update={"captcha_after_failures": 3})


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What each picture shows, which only people can read."""
    texts: list[str] = []

    def see(letters: str) -> bytes:
        texts.append(letters)
        return draw(letters)

    monkeypatch.setattr(captcha, "draw", see)
    return texts


@dataclass
class Reader:
    """Somebody who can read."""

    shown: list[str]

    async def read(self, client: httpx.AsyncClient) -> dict[str, str]:
        """A captcha's id and its letters."""
        response = await client.get("/auth/captcha")
        assert response.status_code == 200
        return {"captcha_id": response.json()["data"]["captcha_id"], "captcha": self.shown[-1]}


@pytest.fixture
def reader(shown: list[str]) -> Reader:
    return Reader(shown)


async def login(client: httpx.AsyncClient, username: str, given: str, **more: Any) -> httpx.Response:
    return await client.post("/auth/login", json={"username": username, "password": given, **more})


def outcome(response: httpx.Response) -> tuple[int, int]:
    return response.status_code, response.json()["code"]


async def fail(connect: Connect, username: str, times: int = 3) -> None:
    """Fail to sign in as somebody, each time from another address."""
    for n in range(times):
        assert outcome(await login(await connect(ip=f"203.0.113.{n}"), username, "wrong")) == FAILED


async def test_after_three_failures_a_captcha_is_needed_whoever_is_named(
    client: httpx.AsyncClient, connect: Connect, sign_up: SignIn, reader: Reader
) -> None:
    await sign_up("alice")
    bodies = []
    for name in ("alice", "nobody"):
        await fail(connect, name)
        for given in (PASSWORD, "wrong"):
            response = await login(client, name, given)
            assert outcome(response) == REQUIRED
            bodies.append(response.json() | {"request_id": ""})
        wrong = await login(client, name, "wrong", **await reader.read(client))
        assert outcome(wrong) == FAILED
    assert all(body == bodies[0] for body in bodies)
    right = await reader.read(client)
    right["captcha"] = f" {right['captcha'].lower()} "
    assert (await login(client, "alice", PASSWORD, **right)).status_code == 200


@one_database
async def test_failures_of_an_address_count_for_all_names(connect: Connect, sign_up: SignIn) -> None:
    await sign_up("alice")
    here, there = await connect(ip="2001:db8::1"), await connect(ip="2001:db8:0:1::1")
    for n in range(3):
        assert outcome(await login(here, f"nobody {n}", "wrong")) == FAILED
    # A customer has a whole /64.
    neighbour = await connect(ip="2001:db8::2")
    assert outcome(await login(neighbour, "alice", PASSWORD)) == REQUIRED
    assert (await login(there, "alice", PASSWORD)).status_code == 200


@one_database
async def test_a_known_device_is_not_asked_for_the_failures_of_strangers(
    connect: Connect, sign_up: SignIn
) -> None:
    alice = await sign_up("alice")
    await fail(connect, "alice")
    assert (await login(alice.client, "alice", PASSWORD)).status_code == 200


async def test_a_captcha_counts_once_be_it_right_or_wrong(
    client: httpx.AsyncClient,
    connect: Connect,
    sign_up: SignIn,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await sign_up("alice")
    await fail(connect, "alice")
    misread = await reader.read(client)
    assert outcome(await login(client, "alice", PASSWORD, **misread | {"captcha": "WRONG"})) == REQUIRED
    assert outcome(await login(client, "alice", PASSWORD, **misread)) == REQUIRED
    evaluated: list[str] = []
    verify = signin.verify_password

    async def count(given: str, made: str) -> bool:
        evaluated.append(given)
        return await verify(given, made)

    monkeypatch.setattr(signin, "verify_password", count)
    right = await reader.read(client)
    responses = await asyncio.gather(*(login(client, "alice", "wrong", **right) for _ in range(8)))
    assert sorted(outcome(response) for response in responses) == [FAILED] + [REQUIRED] * 7
    assert evaluated == ["wrong"]


async def test_a_captcha_expires_and_cannot_be_invented(
    app: Application, client: httpx.AsyncClient, connect: Connect, sign_up: SignIn, reader: Reader
) -> None:
    await sign_up("alice")
    await fail(connect, "alice")
    right, other = await reader.read(client), await reader.read(client)
    until, number, seal, answer = right["captcha_id"].split(".")
    for invented in (
        "",
        "....",
        f"{until}.{number}x.{seal}.{answer}",
        f"{int(until) + 60}.{number}.{seal}.{answer}",
        f"{until}.{number}.{answer}.{answer}",
    ):
        given = {"captcha_id": invented, "captcha": right["captcha"]}
        assert outcome(await login(client, "alice", PASSWORD, **given)) == REQUIRED
    with clock.travel(seconds=CAPTCHA_SECONDS + 2):
        assert outcome(await login(client, "alice", PASSWORD, **right)) == REQUIRED
    async with app.resources.database.engine.connect() as connection:
        assert await connection.scalar(text("select count(*) from kernel_counter")) == 0
    swapped = {"captcha_id": right["captcha_id"], "captcha": other["captcha"]}
    assert outcome(await login(client, "alice", PASSWORD, **swapped)) == REQUIRED
    assert (await login(client, "alice", PASSWORD, **other)).status_code == 200


@one_database
async def test_any_worker_takes_a_captcha_once(
    client: httpx.AsyncClient, settings: Settings, connect: Connect, sign_up: SignIn, reader: Reader
) -> None:
    await sign_up("alice")
    await fail(connect, "alice")
    other = create_app(settings)
    async with running(other):
        there = await connect(other)
        right = await reader.read(client)
        assert outcome(await login(there, "alice", "wrong", **right)) == FAILED
        assert outcome(await login(client, "alice", PASSWORD, **right)) == REQUIRED


@one_database
async def test_failures_are_forgotten(client: httpx.AsyncClient, connect: Connect, sign_up: SignIn) -> None:
    await sign_up("alice")
    await fail(connect, "alice")
    assert outcome(await login(client, "alice", PASSWORD)) == REQUIRED
    with clock.travel(seconds=2 * GUESS_WINDOW_SECONDS):
        assert (await login(client, "alice", PASSWORD)).status_code == 200


@one_database
async def test_it_can_be_switched_off(settings: Settings, connect: Connect) -> None:
    application = create_app(settings.model_copy(update={"captcha_after_failures": 0}))
    async with running(application):
        somebody = await connect(application)
        assert [outcome(await login(somebody, "nobody", "wrong")) for _ in range(6)] == [FAILED] * 6


def test_every_letter_can_be_drawn_and_no_picture_is_drawn_twice() -> None:
    letters = "".join(FONT)
    pictures = {draw(letters[n : n + CAPTCHA_LENGTH]) for n in range(len(letters) - CAPTCHA_LENGTH + 1)}
    pictures |= {draw("ACDEF") for _ in range(5)}
    assert len(pictures) == len(letters) - CAPTCHA_LENGTH + 6
    for picture in pictures:
        chunks = dict(read_chunks(picture))
        assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (WIDTH, HEIGHT, 8, 0, 0, 0, 0)
        points = zlib.decompress(chunks[b"IDAT"])
        assert len(points) == HEIGHT * (WIDTH + 1)
        assert 300 < sum(point < 90 for point in points) - HEIGHT < WIDTH * HEIGHT / 2


@one_database
async def test_what_is_sent_is_that_picture(client: httpx.AsyncClient) -> None:
    response = await client.get("/auth/captcha")
    assert response.headers["Cache-Control"] == "no-store"
    data = response.json()["data"]
    kind, _, encoded = data["image"].partition(",")
    assert (kind, data["expires_in"]) == ("data:image/png;base64", CAPTCHA_SECONDS)
    assert [name for name, _ in read_chunks(b64decode(encoded))] == [b"IHDR", b"IDAT", b"IEND"]


def read_chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG file, with their checksums verified."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, place = [], 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        name, content = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack(">I", png[place + 8 + length : place + 12 + length])
        assert checksum == zlib.crc32(name + content)
        chunks.append((name, content))
        place += 12 + length
    return chunks

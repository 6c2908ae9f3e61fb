"""Tokens that are not ours, or are not what they are shown as: none opens anything, and none is a fault of the server's."""

from base64 import b64encode
from collections import Counter

import msgspec
import pytest

from tests.modules.account.conftest import SIGNING_KEY
from tests.security.asgi import ask
from tests.security.mutations import mutate
from tests.security.world import World
from xumi.kernel.testing.tokens import forgeries

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

GUARDED = "/auth/sessions"
MUTATIONS = 10_000
JSON = [(b"content-type", b"application/json")]


def raw(token: str) -> bytes:
    """A header's bytes: those of Latin-1, as which they are read, where there are such."""
    try:
        return token.encode("latin-1")
    except UnicodeEncodeError:
        return token.encode(errors="surrogatepass")


async def show(world: World, token: bytes, scheme: bytes = b"Bearer ") -> tuple[int, bytes]:
    """Show a token as an access token."""
    return await ask(world.app, "GET", GUARDED, [(b"authorization", scheme + token)])


async def exchange(world: World, token: str) -> int:
    """Show a token as a refresh token, in a body."""
    body = msgspec.json.encode({"refresh_token": token})
    headers = [*JSON, (b"content-length", b"%d" % len(body))]
    return (await ask(world.app, "POST", "/auth/refresh", headers, body))[0]


async def test_no_access_token_that_was_changed_is_accepted(world: World) -> None:
    genuine = [person.access_token for person in world.people.values()]
    assert {(await show(world, raw(token)))[0] for token in genuine} == {200}
    answers: Counter[tuple[int, int]] = Counter()
    for number, token in enumerate(mutate(genuine, MUTATIONS)):
        # Every tenth by Basic.
        basic = number % 10 == 0
        shown = b64encode(raw(token) + b":") if basic else raw(token)
        status, body = await show(world, shown, b"Basic " if basic else b"Bearer ")
        answers[status, msgspec.json.decode(body)["code"]] += 1
        assert status == 401, (token, body)
    assert sum(answers.values()) == MUTATIONS
    assert set(answers) == {(401, 40101)}


async def test_no_refresh_token_that_was_changed_is_accepted_or_ends_a_session(world: World) -> None:
    people = list(world.people.values())
    answers: Counter[int] = Counter()
    for token in mutate([person.refresh_token for person in people], MUTATIONS):
        answers[await exchange(world, token)] += 1
    # 422: longer than any token.
    assert set(answers) == {401, 422}
    assert answers[401] > MUTATIONS // 2
    assert [await exchange(world, person.refresh_token) for person in people] == [200] * len(people)


async def test_no_forged_token_is_accepted(world: World) -> None:
    """Also in the headers that no server of HTTP lets through, and whose bytes are no text."""
    kinds = forgeries(world.people["owner"].access_token, SIGNING_KEY)
    assert len(kinds) >= 40
    for kind, token in kinds.items():
        for scheme, shown in ((b"Bearer ", raw(token)), (b"Basic ", b64encode(raw(token) + b":"))):
            if shown.strip(b" \t") in map(raw, (person.access_token for person in world.people.values())):
                continue
            status, body = await show(world, shown, scheme)
            assert status == 401, (kind, scheme, body)
        assert await exchange(world, token.replace("\ud800", "?")) in (401, 422), kind


async def test_a_token_is_good_for_one_thing_only(world: World) -> None:
    """Access, refresh and device tokens are no use in each other's place, whole or in part."""
    owner = world.people["owner"]
    login = {"username": "owner", "password": "correct horse battery staple"}
    device = (await world.client.post("/auth/login", json=login)).cookies["xumi_device"]
    tokens = {"access": owner.access_token, "refresh": owner.refresh_token, "device": device}
    tokens |= {f"Bearer {kind}": f"Bearer {token}" for kind, token in tokens.items()}
    tokens |= {
        "session": owner.session_id,
        "session and seal": f"{owner.session_id}.x.{device.split('.')[1]}",
    }
    for kind, token in tokens.items():
        if kind != "access":
            assert (await show(world, raw(token)))[0] == 401, kind
            assert (await show(world, b64encode(raw(token) + b":"), b"Basic "))[0] == 401, kind
        if kind != "refresh":
            assert await exchange(world, token) == 401, kind
            status, _ = await ask(
                world.app, "GET", "/auth/refresh", [(b"authorization", b"Bearer " + raw(token))]
            )
            assert status == 401, kind
    assert (await show(world, raw(owner.access_token)))[0] == 200
    assert await exchange(world, owner.refresh_token) == 200


async def test_only_spaces_and_tabs_may_stand_around_a_token(world: World) -> None:
    owner = world.people["owner"]
    for around in ("\xa0", "\x85", "\x0c", "\x1f", "\n"):
        for token in (owner.access_token + around, around + owner.access_token):
            assert (await show(world, raw(token)))[0] == 401
        for token in (owner.refresh_token + around, around + owner.refresh_token):
            header = [(b"authorization", b"Bearer " + raw(token))]
            assert (await ask(world.app, "GET", "/auth/refresh", header))[0] == 401
    assert (await show(world, raw(f" {owner.access_token}\t")))[0] == 200

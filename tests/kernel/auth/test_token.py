"""Access tokens: what is issued is read back; what is forged, old or foreign is not, and never remembered."""

import pytest

from xumi.kernel import clock
from xumi.kernel.auth import token as token_module
from xumi.kernel.auth.token import Claims, TokenIssuer
from xumi.kernel.config import Settings
from xumi.kernel.errors import APICode, APIException, StartError
from xumi.kernel.testing.tokens import PUBLIC_KEY, decode, forge, forgeries

SECRET = "a secret of the tests that is long enough"
USER, SESSION = "U" * 26, "S" * 26


def make_issuer(ring: str = f"k1:{SECRET}", seconds: int = 900) -> TokenIssuer:
    return TokenIssuer(Settings(jwt_secret_key=ring, access_token_seconds=seconds))


def refusal(issuer: TokenIssuer, token: str) -> object:
    with pytest.raises(APIException) as caught:
        issuer.verify(token)
    return caught.value.code


# It is made when the tests are collected, and lives longer than they run.
GENUINE, _ = make_issuer(seconds=86_400).issue_access(USER, SESSION, ("user",), 3)
FORGERIES = forgeries(GENUINE, SECRET)


def test_an_issued_token_says_what_it_was_issued_for() -> None:
    issuer = make_issuer()
    token, seconds = issuer.issue_access(USER, SESSION, ("admin", "user"), 7)
    for claims in (issuer.verify(token), issuer.verify(token)):
        assert (claims.sub, claims.sid, claims.roles, claims.ver) == (USER, SESSION, ("admin", "user"), 7)
        assert claims.exp - claims.iat == seconds == 900


def test_the_token_is_a_plain_jwt() -> None:
    header, payload = (decode(part) for part in GENUINE.split(".")[:2])
    assert header == {"alg": "HS256", "typ": "JWT", "kid": "k1"}
    assert payload["typ"] == "access"
    assert forge(header, payload, SECRET.encode()) == GENUINE


def test_there_are_enough_forgeries() -> None:
    assert len(set(FORGERIES.values())) >= 80


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forged_token_is_refused_and_not_remembered(kind: str) -> None:
    issuer = make_issuer(f"k1:{SECRET},k2:{PUBLIC_KEY.decode()[:40]}")
    assert issuer.verify(GENUINE).sub == USER
    for _ in range(2):
        assert refusal(issuer, FORGERIES[kind]) is APICode.TOKEN_INVALID
    assert list(issuer._verified) == [GENUINE]


def test_every_single_changed_character_is_noticed() -> None:
    issuer = make_issuer()
    for position, character in enumerate(GENUINE):
        other = "A" if character != "A" else "B"
        assert refusal(issuer, GENUINE[:position] + other + GENUINE[position + 1 :]) is APICode.TOKEN_INVALID


def test_a_refresh_token_is_no_access_token() -> None:
    issuer = make_issuer()
    assert refusal(issuer, issuer.refresh.first(SESSION)) is APICode.TOKEN_INVALID


def test_a_token_expires_even_when_it_is_remembered() -> None:
    issuer = make_issuer()
    token, seconds = issuer.issue_access(USER, SESSION, ("user",), 0)
    issuer.verify(token)
    with clock.travel(seconds=seconds - 2):
        issuer.verify(token)
    with clock.travel(seconds=seconds + 1):
        assert refusal(issuer, token) is APICode.TOKEN_EXPIRED
        assert refusal(make_issuer(), token) is APICode.TOKEN_EXPIRED
        assert not issuer._verified


def test_a_token_from_a_clock_that_is_a_little_ahead_counts() -> None:
    issuer = make_issuer()
    with clock.travel(seconds=30):
        token, _ = issuer.issue_access(USER, SESSION, (), 0)
    assert isinstance(issuer.verify(token), Claims)
    with clock.travel(seconds=90):
        token, _ = issuer.issue_access(USER, SESSION, (), 0)
    assert refusal(issuer, token) is APICode.TOKEN_INVALID


def test_the_first_key_signs_and_all_verify() -> None:
    old = make_issuer(f"old:{SECRET}")
    both = make_issuer(f"new:another secret of the tests,old:{SECRET}")
    new = make_issuer("new:another secret of the tests")
    assert both.verify(old.issue_access(USER, SESSION, (), 0)[0]).sub == USER
    fresh, _ = both.issue_access(USER, SESSION, (), 0)
    assert decode(fresh.split(".")[0])["kid"] == "new"
    assert new.verify(fresh).sub == USER
    assert refusal(old, fresh) is APICode.TOKEN_INVALID
    assert refusal(new, old.issue_access(USER, SESSION, (), 0)[0]) is APICode.TOKEN_INVALID


def test_a_plain_secret_is_a_ring_of_one() -> None:
    one, other = make_issuer(SECRET), make_issuer(f"new:something else entirely,{SECRET}")
    assert other.verify(one.issue_access(USER, SESSION, (), 0)[0]).sub == USER


@pytest.mark.parametrize("ring", ["", " , ", "a:first secret,a:second secret"])
def test_a_ring_without_keys_or_with_one_name_twice_refuses_to_start(ring: str) -> None:
    with pytest.raises(StartError, match="JWT_SECRET_KEY"):
        make_issuer(ring)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_module, "MAX_REMEMBERED", 3)
    issuer = make_issuer()
    tokens = [issuer.issue_access(USER, SESSION, (), epoch)[0] for epoch in range(5)]
    for token in tokens:
        issuer.verify(token)
    assert list(issuer._verified) == tokens[2:]
    assert issuer.verify(tokens[0]).ver == 0

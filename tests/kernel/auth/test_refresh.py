"""Refresh tokens: random at first, then one successor each; invented ones are recognised as such."""

from xumi.kernel.auth.refresh import RefreshTokens, digest
from xumi.kernel.auth.seal import Sealer

SESSION = "S" * 26


def make(*secrets: bytes) -> RefreshTokens:
    return RefreshTokens(Sealer(secrets or (b"key",)))


def test_first_tokens_are_never_the_same() -> None:
    tokens = make()
    assert len({tokens.first(SESSION) for _ in range(100)}) == 100


def test_a_token_has_one_successor_of_the_same_session() -> None:
    tokens = make()
    chain = [tokens.first(SESSION)]
    for _ in range(50):
        chain.append(tokens.successor(chain[-1]))
        assert tokens.successor(chain[-2]) == chain[-1]
    assert len(set(chain)) == 51
    assert {tokens.find_session(token) for token in chain} == {SESSION}


def test_the_successor_cannot_be_computed_without_the_key() -> None:
    token = make(b"key").first(SESSION)
    assert make(b"other").successor(token) != make(b"key").successor(token)


def test_a_token_stays_ours_while_its_key_is_in_the_ring() -> None:
    token = make(b"old").first(SESSION)
    assert make(b"new", b"old").find_session(token) == SESSION
    assert make(b"new").find_session(token) is None


def test_an_invented_or_changed_token_is_not_ours() -> None:
    tokens = make()
    token = tokens.first(SESSION)
    body, _, seal = token.rpartition(".")
    invented = [
        "",
        ".",
        "..",
        "x",
        body,
        body + ".",
        f"{'T' * 26}{token[26:]}",
        token + ".",
        token + "\ud800",
        "é" + token,
    ]
    invented += [f"{SESSION}.{'A' * 43}.{seal}", token + "=", token.lower(), "x" * 10_000, f"{token}.{seal}"]
    for fake in invented:
        assert tokens.find_session(fake) is None


def test_seals_of_different_purposes_differ() -> None:
    sealer = Sealer([b"key"])
    assert sealer.is_sealed("a", "text", sealer.seal("a", "text"))
    assert not sealer.is_sealed("b", "text", sealer.seal("a", "text"))
    assert not sealer.is_sealed("a", "other", sealer.seal("a", "text"))


def test_the_digest_is_sha256() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

"""Keys sort by time, never collide, and follow the clock of the test."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from xumi.kernel import clock
from xumi.kernel.ids import KEY_LENGTH, derive_key, generate_key


def test_a_key_has_26_characters_without_lookalikes() -> None:
    assert KEY_LENGTH == 26
    for _ in range(200):
        assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", generate_key())


def test_keys_sort_by_the_time_of_their_making() -> None:
    with clock.travel() as journey:
        keys = []
        for _ in range(50):
            keys.append(generate_key())
            journey.move(seconds=0.002)
    assert keys == sorted(keys)


def test_the_first_ten_characters_are_the_milliseconds() -> None:
    with clock.travel(to=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)):
        key = generate_key()
    value = 0
    for character in key[:10]:
        value = value * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(character)
    made = datetime.fromtimestamp(value / 1000, UTC)
    assert timedelta(0) <= made - datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) < timedelta(seconds=10)


def test_keys_of_several_threads_differ() -> None:
    with ThreadPoolExecutor(4) as threads:
        keys = list(threads.map(lambda _: generate_key(), range(20_000)))
    assert len(set(keys)) == len(keys)


def test_a_derived_key_belongs_to_its_parts() -> None:
    keys = {derive_key(*parts) for parts in ((b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"abc", b""), ())}
    assert len(keys) == 5
    assert {len(key) for key in keys} == {KEY_LENGTH}
    assert derive_key(b"ab", b"c") == derive_key(b"ab", b"c")


def test_a_journey_moves_both_clocks_and_ends() -> None:
    before, tick = clock.now(), clock.monotonic()
    with clock.travel(seconds=3600) as journey:
        assert clock.now() - before >= timedelta(hours=1)
        assert clock.monotonic() - tick >= 3600
        journey.move(seconds=-7200)
        assert clock.now() < before
        with clock.travel(to=datetime(2030, 1, 1, tzinfo=UTC)):
            assert clock.now().year == 2030
            assert datetime.fromtimestamp(clock.timestamp(), UTC).year == 2030
        assert clock.now() < before
    assert timedelta(0) <= clock.now() - before < timedelta(hours=1)
    assert clock.now().tzinfo is UTC


def test_a_journey_needs_an_aware_time() -> None:
    with pytest.raises(ValueError, match="aware"), clock.travel(to=datetime(2030, 1, 1)):  # noqa: DTZ001
        pass

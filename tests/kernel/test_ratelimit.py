"""GCRA on the shared table."""

import multiprocessing
import os
from pathlib import Path

import pytest

from xumi.kernel.errors import StartError
from xumi.kernel.ratelimit import RateLimiter, Rule


def test_a_rule_lets_its_quota_through_at_once_and_then_refuses() -> None:
    limiter, rule = RateLimiter(), Rule.parse("test", "5/hour")
    assert [limiter.hit(rule, "a") for _ in range(5)] == [None] * 5
    refusal = limiter.hit(rule, "a")
    assert refusal is not None
    assert 1 <= refusal.retry_after_seconds <= 720
    assert refusal.headers()["RateLimit-Limit"] == "5"
    assert refusal.headers()["RateLimit-Remaining"] == "0"
    assert refusal.headers()["Retry-After"] == refusal.headers()["RateLimit-Reset"]


def test_callers_and_rules_are_counted_apart() -> None:
    limiter, one, other = RateLimiter(), Rule.parse("one", "1/hour"), Rule.parse("other", "1/hour")
    assert limiter.hit(one, "a") is None
    assert limiter.hit(one, "b") is None
    assert limiter.hit(other, "a") is None
    assert limiter.hit(one, "a") is not None


def test_a_refused_call_does_not_put_off_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("xumi.kernel.ratelimit.time.monotonic", lambda: now)
    limiter, rule = RateLimiter(), Rule.parse("test", "2/minute")
    assert limiter.hit(rule, "a") is None
    assert limiter.hit(rule, "a") is None
    for _ in range(20):
        assert limiter.hit(rule, "a") is not None
    now += 30.0
    assert limiter.hit(rule, "a") is None
    assert limiter.hit(rule, "a") is not None


def test_memory_stays_bounded_when_a_hundred_thousand_addresses_call() -> None:
    limiter, rule = RateLimiter(), Rule.parse("test", "1/hour")
    size = len(limiter._table)
    for number in range(100_000):
        limiter.hit(rule, f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64")
    assert len(limiter._table) == size


def _hits(directory: Path, count: int, result: "multiprocessing.Queue[int]") -> None:
    limiter, rule = RateLimiter(directory=directory), Rule.parse("shared", "100/day")
    result.put(sum(limiter.hit(rule, "caller") is None for _ in range(count)))


def test_workers_of_one_server_share_one_count(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    result = spawn.Queue()
    workers = [spawn.Process(target=_hits, args=(tmp_path, 200, result)) for _ in range(3)]
    for worker in workers:
        worker.start()
    allowed = sum(result.get(timeout=30) for _ in workers)
    for worker in workers:
        worker.join()
    assert allowed == 100
    assert os.stat(tmp_path / "ratelimit").st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "10", "ten/minute", "0/minute", "-1/minute", "10/fortnight", "10/minute/x"]
)
def test_a_rule_that_cannot_be_read_refuses_to_start(text: str) -> None:
    with pytest.raises(StartError, match="10/minute"):
        Rule.parse("RATE_LIMIT_DEFAULT", text)


def test_a_storage_that_is_not_there_refuses_to_start() -> None:
    with pytest.raises(StartError, match="RATE_LIMIT_STORAGE_URI"):
        RateLimiter("redis://127.0.0.1")

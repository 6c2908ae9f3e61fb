"""Time is that of the machine, but for tests that travel and for processes that a test has sent ahead."""

import subprocess
import sys
import time

import pytest

from xumi.kernel import clock
from xumi.kernel.testing.server import clean_environment

HOUR_SECONDS = 3600


def ahead_seconds(**values: str) -> float:
    """How far another process's clock is ahead."""
    code = "import time; from xumi.kernel import clock; print(clock.timestamp() - time.time(), clock.monotonic() - time.monotonic())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(**values),
        capture_output=True,
        text=True,
        check=True,
    )
    calendar, monotonic = map(float, done.stdout.split())
    assert calendar == pytest.approx(monotonic, abs=1)
    return calendar


def test_a_process_is_sent_ahead_in_tests_only() -> None:
    ahead = {clock.AHEAD: str(HOUR_SECONDS)}
    assert ahead_seconds(APP_ENV="test", **ahead) == pytest.approx(HOUR_SECONDS, abs=1)
    assert ahead_seconds(APP_ENV="production", **ahead) == pytest.approx(0, abs=1)
    assert ahead_seconds(**ahead) == pytest.approx(0, abs=1)


def test_a_journey_ends() -> None:
    with clock.travel(seconds=HOUR_SECONDS) as journey:
        journey.move(seconds=HOUR_SECONDS)
        assert clock.timestamp() - time.time() == pytest.approx(2 * HOUR_SECONDS, abs=1)
    assert clock.timestamp() - time.time() == pytest.approx(0, abs=1)

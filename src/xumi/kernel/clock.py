"""The time, from one place, so that a test can travel.

    with clock.travel(seconds=901) as journey:      # the access token has expired now
        ...
        journey.move(seconds=60)

Both the calendar and the monotonic clock move, for the whole process, and go on running at their normal pace. A process that a test
starts is ahead from its beginning where APP_ENV is `test` and `XUMI_TEST_CLOCK_SECONDS` says by how much.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

AHEAD = "XUMI_TEST_CLOCK_SECONDS"

_offset_seconds = float(os.environ.get(AHEAD, "0")) if os.environ.get("APP_ENV") == "test" else 0.0


def timestamp() -> float:
    """Seconds since 1970-01-01T00:00:00Z."""
    return time.time() + _offset_seconds


def now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.fromtimestamp(time.time() + _offset_seconds, UTC)


def monotonic() -> float:
    """Seconds of a clock that nobody sets; only differences mean something."""
    return time.monotonic() + _offset_seconds


class Journey:
    """A shift of the clocks that is under way; made by `travel`."""

    def move(self, *, seconds: float = 0.0, to: datetime | None = None) -> None:
        """Go `seconds` further, or to an aware point in time."""
        global _offset_seconds
        if to is not None:
            if to.tzinfo is None:
                raise ValueError(f"travel needs an aware time, got {to!r}: pass tzinfo=UTC.")
            seconds += (to - now()) / timedelta(seconds=1)
        _offset_seconds += seconds


@contextmanager
def travel(*, seconds: float = 0.0, to: datetime | None = None) -> Iterator[Journey]:
    """Shift the clocks of this process for a block; for tests.

    Raises:
        ValueError: `to` has no time zone.
    """
    global _offset_seconds
    before = _offset_seconds
    try:
        journey = Journey()
        journey.move(seconds=seconds, to=to)
        yield journey
    finally:
        _offset_seconds = before

"""When a scheduled job runs, changes of the clock included; declarations that mean nothing."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from tests.kernel.jobs import sample
from xumi.kernel.errors import StartError
from xumi.kernel.jobs import job, schedule
from xumi.kernel.jobs.timetable import Timing


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def ticks(timing: Timing, start: str, count: int) -> list[str]:
    found, point = [], at(start)
    for _ in range(count):
        following = timing.after(point)
        assert following > point
        assert timing.last_until(following) == following
        assert timing.last_until(following - timedelta(seconds=1)) <= point
        point = following
        found.append(point.isoformat().removesuffix("+00:00"))
    return found


def cron(expression: str, timezone: str = "UTC") -> Timing:
    return Timing(expression, timezone, None, "run_once")


def test_an_expression_means_the_wall_clock_of_its_zone() -> None:
    timing = cron("0 3 * * *", "Asia/Shanghai")
    assert ticks(timing, "2026-11-21T00:00:00Z", 2) == ["2026-11-21T19:00:00", "2026-11-22T19:00:00"]


def test_a_time_that_is_skipped_runs_when_the_skip_ends() -> None:
    # 29 March 2026: 02:00 is 03:00 in Berlin.
    timing = cron("30 2 * * *", "Europe/Berlin")
    assert ticks(timing, "2026-03-28T00:00:00Z", 3) == [
        "2026-03-28T01:30:00",
        "2026-03-29T01:00:00",
        "2026-03-30T00:30:00",
    ]


def test_a_time_that_comes_twice_runs_once() -> None:
    # 25 October 2026: 03:00 is 02:00 in Berlin.
    timing = cron("30 2 * * *", "Europe/Berlin")
    assert ticks(timing, "2026-10-24T12:00:00Z", 2) == ["2026-10-25T00:30:00", "2026-10-26T01:30:00"]


@pytest.mark.parametrize("hour", ["2026-03-29T00:00:00Z", "2026-10-25T00:00:00Z"])
def test_an_expression_with_stars_follows_the_elapsed_time(hour: str) -> None:
    found = ticks(cron("*/30 * * * *", "Europe/Berlin"), hour, 6)
    points = [datetime.fromisoformat(text) for text in found]
    assert {later - earlier for earlier, later in pairwise(points)} == {timedelta(minutes=30)}


def test_inside_the_hour_that_comes_twice_no_tick_lies_behind() -> None:
    timing = cron("30 2 * * *", "Europe/Berlin")
    # The second 02:10; the 02:30 of this day has been.
    assert timing.after(at("2026-10-25T01:10:00Z")) == at("2026-10-26T01:30:00Z")
    assert timing.last_until(at("2026-10-25T01:10:00Z")) <= at("2026-10-25T01:10:00Z")


def test_an_interval_counts_from_1970() -> None:
    timing = Timing(None, "UTC", timedelta(seconds=0.1), "run_all")
    assert timing.after(at("2026-11-21T00:00:00.05Z")) == at("2026-11-21T00:00:00.1Z")
    assert timing.after(at("2026-11-21T00:00:00.1Z")) == at("2026-11-21T00:00:00.2Z")
    assert timing.last_until(at("2026-11-21T00:00:00.1Z")) == at("2026-11-21T00:00:00.1Z")


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ({}, "either cron or every_seconds"),
        ({"cron": "* * * * *", "every_seconds": 5}, "either cron or every_seconds"),
        ({"cron": "61 * * * *"}, "Bad minute"),
        ({"cron": "* * * * *", "timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"every_seconds": 0}, "at least"),
        ({"cron": "0 0 30 2 *"}, "day-of-month"),
    ],
)
def test_a_declaration_that_means_nothing_is_refused(declaration: dict[str, object], message: str) -> None:
    with pytest.raises(StartError, match=message):
        schedule(**declaration)(sample.nothing)  # type: ignore[arg-type]


def test_what_is_scheduled_runs_without_arguments_and_is_a_job() -> None:
    with pytest.raises(StartError, match="title"):
        schedule(every_seconds=5)(sample.put_up)

    async def plain(session: AsyncSession) -> None: ...

    with pytest.raises(StartError, match="above @job"):
        schedule(every_seconds=5)(plain)  # type: ignore[arg-type]
    assert job("sample.plain")(plain).name == "sample.plain"

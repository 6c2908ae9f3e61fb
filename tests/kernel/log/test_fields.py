"""What stands in a log line."""

import dataclasses
import json
import re
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from pydantic import BaseModel, SecretStr

from tests.kernel.log.reader import only
from xumi.kernel import log
from xumi.kernel.context import Context, enter
from xumi.kernel.log import get_logger, logger
from xumi.kernel.log.clean import MAX_ITEMS, MAX_TEXT


def test_a_line_has_the_documented_keys(lines: list[bytes]) -> None:
    logger.info("user signed in", user_id=7, tags=["a"])
    record = json.loads(only(lines))
    assert list(record) == ["timestamp", "level", "logger", "message", "user_id", "tags"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["timestamp"])
    assert abs((datetime.fromisoformat(record["timestamp"]) - datetime.now(UTC)).total_seconds()) < 60
    assert (record["level"], record["logger"], record["message"]) == ("info", __name__, "user signed in")
    assert (record["user_id"], record["tags"]) == (7, ["a"])


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_levels_are_small_letters_and_names_may_be_given(lines: list[bytes], level: str) -> None:
    getattr(get_logger("xumi.special"), level)("x")
    record = json.loads(only(lines))
    assert (record["level"], record["logger"]) == (level, "xumi.special")


@pytest.mark.parametrize(
    ("level", "expected"), [("DEBUG", 6), ("INFO", 5), ("WARNING", 4), ("ERROR", 3), ("CRITICAL", 1)]
)
def test_lower_levels_are_left_out(lines: list[bytes], level: str, expected: int) -> None:
    log.set_output(level, "json", lines.append)
    for name in ("debug", "info", "warning", "error", "exception", "critical"):
        getattr(logger, name)("x")
    assert len(lines) == expected


def test_the_running_request_gives_its_id(lines: list[bytes]) -> None:
    with enter(Context(cast(Any, SimpleNamespace()), "req-1")):
        logger.info("inside")
        logger.info("own", request_id="other")
    logger.info("outside")
    assert [json.loads(line).get("request_id") for line in lines] == ["req-1", "other", None]


def test_a_field_cannot_replace_the_lines_own(lines: list[bytes]) -> None:
    logger.info(
        "real",
        message="forged",
        level="debug",
        timestamp="never",
        logger="x",
        exception="y",
    )
    record = json.loads(only(lines))
    assert (record["message"], record["level"], record["logger"]) == ("real", "info", __name__)
    assert record["message_"] == "forged"
    assert "exception" not in record


def test_values_of_all_kinds(lines: list[bytes]) -> None:
    class Model(BaseModel):
        name: str

    @dataclasses.dataclass
    class Pair:
        left: int

    class Point(msgspec.Struct):
        x: int

    logger.info(
        "x", none=None, truth=True, number=1.5, big=2**200, when=datetime(2026, 1, 2, tzinfo=UTC), raw=b"a\xff", error=ValueError("v"),
        model=Model(name="n"), pair=Pair(1), point=Point(2), some={3}, keys={1: {"a": (1, 2)}}, nan=float("nan"), key=SecretStr("s3cr3t"),
    )  # fmt: skip
    record = json.loads(only(lines))
    assert record["big"] == hex(2**200)
    assert record["when"] == "2026-01-02 00:00:00+00:00"
    assert record["raw"] == "a\\xff"
    assert record["error"] == "ValueError: v"
    assert (record["model"], record["pair"], record["point"]) == ({"name": "n"}, {"left": 1}, {"x": 2})
    assert (record["some"], record["keys"], record["nan"]) == ([3], {"1": {"a": [1, 2]}}, None)
    assert "s3cr3t" not in lines[0].decode()


def test_size_and_depth_are_bounded(lines: list[bytes]) -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    logger.info("m" * 100_000, long="x" * 1_000_000, many=list(range(10_000)), loop=loop, **{"k" * 50_000: 1})
    line = only(lines)
    record = json.loads(line)
    assert len(line) < 5 * MAX_TEXT
    assert len(record["many"]) == MAX_ITEMS
    assert record["long"].endswith(f"({1_000_000 - MAX_TEXT} more)")


def test_a_line_that_is_too_long_keeps_its_message_and_names_what_it_left_out(lines: list[bytes]) -> None:
    logger.info("kept", rows=[["x" * 5000] * 100], small=1)
    record = json.loads(only(lines))
    assert len(lines[0]) < 1000
    assert (record["message"], record["fields_left_out"]) == ("kept", ["rows", "small"])
    assert "small" not in record


def test_exception_gives_the_traceback_of_what_is_handled(lines: list[bytes]) -> None:
    try:
        raise ValueError("broken\nforged line")
    except ValueError:
        logger.exception("it failed", order=3)
    record = json.loads(only(lines))
    assert (record["level"], record["order"]) == ("error", 3)
    assert record["exception"].startswith("Traceback (most recent call last):\n")
    assert record["exception"].endswith("ValueError: broken\nforged line\n")


def test_exception_takes_an_exception_that_is_handled_no_more(lines: list[bytes]) -> None:
    logger.exception("it failed", error=KeyError("gone"))
    record = json.loads(only(lines))
    assert record["error"] == "KeyError: 'gone'"
    assert "KeyError: 'gone'" in record["exception"]


def test_exception_outside_of_one_is_an_error_line(lines: list[bytes]) -> None:
    logger.exception("nothing is handled")
    assert "exception" not in json.loads(only(lines))


# Access lines


def test_an_access_line_has_the_documented_keys(lines: list[bytes]) -> None:
    log.access("GET", "/api/v1/users/1", "/api/v1/users/{id}", 200, 12.34567, None, "127.0.0.1", "r-1")
    record = json.loads(only(lines))
    assert list(record) == (
        [
            "timestamp",
            "level",
            "logger",
            "message",
            "request_id",
            "method",
            "path",
            "route",
            "status",
            "duration_ms",
            "user_id",
            "ip",
        ]
    )
    assert (record["logger"], record["message"], record["user_id"]) == ("xumi.access", "request", None)


def test_an_access_line_follows_the_level(lines: list[bytes]) -> None:
    log.set_output("ERROR", "json", lines.append)
    log.access("GET", "/", "/", 404, 1.0, None, "", "r")
    log.access("GET", "/", "/", 500, 1.0, None, "", "r")
    assert json.loads(only(lines))["level"] == "error"


def test_a_long_path_is_cut(lines: list[bytes]) -> None:
    log.access("GET", "/" * 100_000, "/", 404, 1.0, None, "", "r")
    assert len(only(lines)) < 3000

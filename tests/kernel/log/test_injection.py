"""A record stays one line, whatever is in it, and reads back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.log.reader import FORBIDDEN, NASTY, only, parse_text
from xumi.kernel import log
from xumi.kernel.log import get_logger, logger
from xumi.kernel.log.line import json_line, text_line


@pytest.mark.parametrize("nasty", NASTY, ids=repr)
def test_json_stays_one_line_and_reads_back(lines: list[bytes], nasty: str) -> None:
    text = f"before{nasty}after"
    logger.info(text, **{text: text, "deep": {text: [text]}})
    record = json.loads(only(lines))
    assert record["message"] == text
    assert record[text] == text
    assert record["deep"] == {text: [text]}


@pytest.mark.parametrize("nasty", NASTY, ids=repr)
def test_text_stays_one_line_and_reads_back(text_lines: list[bytes], nasty: str) -> None:
    text = f"before{nasty}after"
    get_logger(text).info(text, **{text: text, "deep": {text: [text]}, "plain": 1})
    record = parse_text(only(text_lines))
    assert (record["logger"], record["message"], record[text]) == (text, text, text)
    assert (record["deep"], record["plain"]) == ({text: [text]}, 1)


@pytest.mark.parametrize("nasty", NASTY, ids=repr)
@pytest.mark.parametrize("form", ["json", "text"])
def test_an_access_line_stays_one_line_and_reads_back(lines: list[bytes], form: Any, nasty: str) -> None:
    log.set_output("INFO", form, lines.append)
    text = f"/a{nasty}b"
    log.access(text, text, text, 200, 1.23456, text, text, text)
    line = only(lines)
    record = json.loads(line) if form == "json" else parse_text(line)
    assert {record[name] for name in ("method", "path", "route", "user_id", "ip", "request_id")} == {text}
    assert (record["status"], record["duration_ms"], record["level"]) == (200, 1.234, "info")


@given(st.dictionaries(st.text(), st.text()), st.text())
def test_any_text_reads_back_in_both_forms(fields: dict[str, str], message: str) -> None:
    record: dict[str, object] = {"timestamp": "t", "level": "info", "logger": "l", "message": message}
    record |= {f"f{name}": value for name, value in fields.items()}
    assert json.loads(only([json_line(record)])) == record
    text = text_line(record).decode()
    assert parse_text(only([text.encode()])) == record


def test_a_traceback_in_text_cannot_look_like_a_line(text_lines: list[bytes]) -> None:
    try:
        raise ValueError("broken\n2026-11-20T09:30:00.123Z info bank paid\x1b[0m\u2028x\ry")
    except ValueError:
        logger.exception("it failed")
    first, *rest = text_lines[0].decode().removesuffix("\n").split("\n")
    assert parse_text(first)["message"] == "it failed"
    assert len(rest) > 3
    assert all(line.startswith("    ") and not FORBIDDEN.search(line) for line in rest)


@pytest.mark.parametrize("form", ["json", "text"])
def test_half_a_character_does_not_raise(lines: list[bytes], form: Any) -> None:
    log.set_output("INFO", form, lines.append)
    logger.info("a\ud800b", **{"k\udc80": "v\udfff", "deep": ["\ud800"]})
    log.access("GET", "/\udc80", "/x", 500, 1.0, None, "::1", "r")
    for line in lines:
        assert len(line.decode().splitlines()) == 1
    assert b"/\\\\udc80" in lines[1]


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_value_whose_own_code_fails_does_not_raise(lines: list[bytes], form: Any) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

    log.set_output("INFO", form, lines.append)
    logger.info("x", value=Hostile())
    logger.info(Hostile())
    assert [b"could not be written" in line for line in lines] == [True, True]
    assert all(b"RuntimeError" in line and __name__.encode() in line for line in lines)

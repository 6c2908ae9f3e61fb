"""One record, one line: as JSON, or as text for a person at a terminal.

In both forms no value can end the line or steer a terminal: control characters, Unicode's line and paragraph separators and
marks that turn the direction of writing are escaped. A text line is

    2026-11-20T09:30:00.123Z INFO shop.service order paid order_id="01M7…" fen=100

where a message with a quote, an equals sign or an escaped character is written as a JSON string, and so are odd field names.
The lines of a traceback follow, indented; no other line begins with a space.
"""

import re
import time

import msgspec

Record = dict[str, object]

EXCEPTION = "exception"

_encode = msgspec.json.Encoder().encode
_UNSAFE_BYTES = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_PLAIN_MESSAGE = re.compile('[^"=\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*')
_PLAIN_NAME = re.compile(r"[\w.:-]+", re.ASCII)

_MILLISECONDS = [f"{number:03d}Z" for number in range(1000)]
_second = (0, "")


def timestamp() -> str:
    """The real time, in UTC with milliseconds; a test's journey does not move it."""
    global _second
    now = time.time()
    whole = int(now)
    second = _second
    if second[0] != whole:
        second = _second = (whole, time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(whole)))
    return second[1] + _MILLISECONDS[int((now - whole) * 1000)]


def _escape(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match[0].decode())


def json_value(value: object) -> bytes:
    """A value as JSON without any character that a terminal or a line reader would act on."""
    return _UNSAFE_BYTES.sub(_escape, _encode(value))


def json_line(record: Record | msgspec.Struct) -> bytes:
    """The record as one line of JSON."""
    line = _encode(record)
    if line.isascii() and b"\x7f" not in line:
        return line + b"\n"
    return _UNSAFE_BYTES.sub(_escape, line) + b"\n"


def text_line(record: Record) -> bytes:
    """The record as one line of text; a traceback follows on lines of its own."""
    rest = dict(record)
    start = " ".join(_plain(str(rest.pop(name)), _PLAIN_NAME) for name in ("timestamp", "level", "logger"))
    message = _plain(str(rest.pop("message")), _PLAIN_MESSAGE)
    traceback = str(rest.pop(EXCEPTION, ""))
    fields = "".join(
        f" {_plain(name, _PLAIN_NAME)}={json_value(value).decode()}" for name, value in rest.items()
    )
    after = "".join(f"    {_UNSAFE.sub(_escape_text, line)}\n" for line in traceback.splitlines())
    return f"{start} {message}{fields}\n{after}".encode()


def _plain(text: str, pattern: re.Pattern[str]) -> str:
    return text if pattern.fullmatch(text) else json_value(text).decode()


def _escape_text(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"

"""Readers of log lines, written from the description of the two forms."""

import json
import re

NASTY = [
    "\r",
    "\n",
    "\r\n",
    "\x1b[31m",
    "\u2028",
    "\u2029",
    "\x00",
    "\x85",
    "\x7f",
    "\x9b2J",
    "\u202e",
    "\u2066",
    "\t",
    '"',
    "\\",
    " =",
    " a=1",
]
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def parse_text(line: str) -> dict[str, object]:
    """A reader for the text form, written from its description."""
    decoder, rest = json.JSONDecoder(), line
    record: dict[str, object] = {}
    for name in ("timestamp", "level", "logger"):
        if rest.startswith('"'):
            record[name], end = decoder.raw_decode(rest)
            rest = rest[end + 1 :]
        else:
            record[name], _, rest = rest.partition(" ")
    if rest.startswith('"'):
        record["message"], end = decoder.raw_decode(rest)
    else:
        plain = re.match(r"[^\"=]*?(?= [\w.:-]+=| \"|$)", rest)
        assert plain
        record["message"], end = plain[0], plain.end()
    rest = rest[end:]
    while rest:
        assert rest[0] == " "
        rest = rest[1:]
        if rest.startswith('"'):
            name, end = decoder.raw_decode(rest)
        else:
            name, end = rest.partition("=")[0], rest.index("=")
        assert rest[end] == "="
        record[name], length = decoder.raw_decode(rest[end + 1 :])
        rest = rest[end + 1 + length :]
    return record


def only(lines: list[bytes]) -> str:
    """The one line that was written, without its end."""
    (line,) = lines
    text = line.decode()
    assert text.endswith("\n")
    assert not FORBIDDEN.search(text[:-1])
    assert len(text.splitlines()) == 1
    return text[:-1]

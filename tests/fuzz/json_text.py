"""JSON documents that a server does not hope for: made of good ones by small changes, and written with less care."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st


class Token(NamedTuple):
    """JSON text as it stands."""

    text: str


class Pairs(NamedTuple):
    """An object whose keys may come twice."""

    items: tuple[tuple[str, Any], ...]


_TOKENS = """
null true false 0 1 2 -1 7 13 -0 -0.0 0.0 1.0 2.50 1.5 1e2 1E400 -1e400 1e-400 5e-324 0.1 0.30000000000000004
0.1000000000000000055511151231257827 12345678901234567.25 9007199254740993 9223372036854775808 123456789012345678901234567890
1700000000 86400.5 NaN Infinity -Infinity -NaN 01 1. .5 +1 1_0 nul undefined
"" "a" "bad" "boom" "1" "1.0" "1e3" "-0" "true" "on" "null" "NaN" "inf" "3" "1_000" "٣" "é" "Å" "\\u0000" "\\ud800" "\\udc00\\ud800"
"\\ud83d\\ude00" "\\x" "2020-01-01" "2020-02-30" "2020-01-01T00:00:00" "2020-01-01T10:00:00Z" "P1D" "10:00" "YWI=" "[1,2]"
"12345678-1234-5678-1234-567812345678" "red" "cat" "dog" [] [1] ["1"] [1,"x"] [1,1] [1.0,2] [null] [[1]] {} {"a":1}
{"a":1,"a":2} {"name":"a"} {"count":1} {"1":1} [1,] {"a":1,} {a:1} 'a' [ {
"""

TOKENS = _TOKENS.split()
"""Scalars and small documents, some of them no JSON at all."""

SEVERE = [
    "9" * 4300,
    "9" * 4301,
    "1" * 5000 + ".0",
    "0." + "3" * 5000,
    "[" * 150 + "]" * 150,
    "[" * 250 + "]" * 250,
    "[" * 100_000,
    '{"a":' * 250 + "1" + "}" * 250,
    '"' + "x" * 70_000 + '"',
    "[" + ",".join(["1"] * 5000) + "]",
]

_tokens = st.sampled_from(TOKENS).map(Token)
_texts = st.text(max_size=6) | st.text(st.characters(codec=None), max_size=4)
_numbers = st.integers() | st.floats() | st.integers(-5, 200)
_anything = st.recursive(
    st.none() | st.booleans() | _numbers | _texts | _tokens,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(_texts, children, max_size=3),
    max_leaves=5,
)


def write(node: Any) -> str:
    """A document as text."""
    if isinstance(node, Token):
        return node.text
    if isinstance(node, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{write(value)}" for key, value in node.items) + "}"
    if isinstance(node, dict):
        return write(Pairs(tuple(node.items())))
    if isinstance(node, list):
        return "[" + ",".join(write(item) for item in node) + "]"
    return json.dumps(node)


def _children(node: Any) -> list[Any]:
    if isinstance(node, Pairs):
        return [value for _, value in node.items]
    return list(node) if isinstance(node, list) else []


def _count(node: Any) -> int:
    return 1 + sum(_count(child) for child in _children(node))


def _open(node: Any) -> Any:
    """The same document with its objects as pairs."""
    if isinstance(node, dict):
        return Pairs(tuple((key, _open(value)) for key, value in node.items()))
    return [_open(item) for item in node] if isinstance(node, list) else node


def _change_at(node: Any, place: int, change: Callable[[Any], Any]) -> Any:
    """The document with its node number `place`, counted in depth first order, changed."""
    if place == 0:
        return change(node)
    place -= 1
    children = _children(node)
    for index, child in enumerate(children):
        if place < (size := _count(child)):
            children[index] = _change_at(child, place, change)
            break
        place -= size
    if isinstance(node, Pairs):
        keys = [key for key, _ in node.items]
        return Pairs(tuple(zip(keys, children, strict=True)))
    return children


@st.composite
def _changed(draw: st.DrawFn, good: Any) -> Any:
    node = _open(good)
    for _ in range(draw(st.integers(1, 3))):
        other = draw(_tokens | _anything)
        key = draw(st.sampled_from(["x", "name", "n", "a", "__class__", ""]))
        kind = draw(
            st.sampled_from(["replace", "replace", "replace", "drop", "double", "add", "wrap", "text"])
        )

        def change(old: Any, kind: str = kind, other: Any = other, key: str = key) -> Any:
            if kind == "wrap":
                return [old]
            if kind == "text":
                return write(old)
            if isinstance(old, Pairs):
                if kind == "drop":
                    return Pairs(old.items[1:])
                if kind == "add":
                    return Pairs((*old.items, (key, other)))
                if kind == "double" and old.items:
                    return Pairs((*old.items, (old.items[0][0], other)))
            if isinstance(old, list) and kind in ("drop", "add", "double"):
                return old[1:] if kind == "drop" else [*old, other]
            return other

        node = _change_at(node, draw(st.integers(0, _count(node) - 1)), change)
    return node


def _raw_bytes(text: bytes) -> st.SearchStrategy[bytes]:
    """The text with something wrong in its bytes."""
    middle = len(text) // 2
    return st.sampled_from(
        [
            b"",
            b" ",
            text[:middle],
            text + b"x",
            text + b" \n",
            b"\x0b" + text,
            text + b"\x00",
            text[:middle] + b"\xff" + text[middle:],
            text.replace(b'"', b'"\xed\xa0\x80', 1),
            b"\xef\xbb\xbf" + text,
            text.decode("utf-8", "replace").encode("utf-16"),
            text.decode("utf-8", "replace").encode("utf-32-le"),
            text.replace(b":", b" :\r\n\t"),
            b"a=1&b=2",
        ]
    )


@st.composite
def bodies(draw: st.DrawFn, good: Sequence[Any]) -> bytes:
    """A body: a good one, one that is nearly good, or none at all."""
    kind = draw(st.integers(0, 19))
    node = draw(st.sampled_from(good))
    if kind < 12:
        node = node if kind < 4 else draw(_changed(node))
    elif kind < 15:
        node = draw(_anything)
    elif kind == 15:
        severe = Token(draw(st.sampled_from(SEVERE)))
        opened = _open(node)
        node = _change_at(opened, draw(st.integers(0, _count(opened) - 1)), lambda _: severe)
    text = write(node).encode("utf-8", "surrogatepass")
    return text if kind < 18 else draw(_raw_bytes(text))

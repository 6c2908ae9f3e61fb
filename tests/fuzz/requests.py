"""Requests to a shape: some that it takes, most with something wrong."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlencode

from hypothesis import strategies as st

from tests.fuzz.declaration import Shape, Values
from tests.fuzz.json_text import bodies

Header = tuple[bytes, bytes]

REQUEST_ID = (b"x-request-id", b"fuzz")

_HOSTILE = """
0 -0 00 +1 1.0 1e3 ١ 1_000 9223372036854775808 99999999999999999999999999 NaN nan -inf 1e400 0x10 true TRUE yes off None null
a A aa ab1 abcd é ß 日本 \u200b \ud7ff \ufeff {} [] [1] [1,] {"a":1} red RED 12345678-1234-5678-1234-56781234567 2020-02-30 2020-01-01T25:00:00Z
1700000000000 P P1Y .. ../x %2e%2e %00 a%2Fb a+b a;b a&b a=b a,b 'x' "x" \\101 ${x} <script> http bug boom 13 201 204 304
"""

HOSTILE = [
    *_HOSTILE.split(),
    "",
    " ",
    " 1 ",
    "1\n",
    "\t",
    "\x00",
    "a\x00b",
    "\r\nX-Evil: 1",
    "x" * 9000,
    "9" * 5000,
]
"""Values that no parameter, or only some, will take."""

ODD_QUERY = [
    b"&", b"&&", b"=", b"=x", b"&a", b"&%", b"&%zz", b"&%00", b"&%ff=%fe", b"&\xff=\xe9", b"&q=\xff", b";n=1", b"&n=1;n=2", b"&+=+",
    b"&n[]=1", b"&n.a=1", b"?n=1", b"#f", b"&%6e=1", b"&n%3d1", b"&N=1", b"&%ed%a0%80=1", b"&q=%ED%A0%80", b"&page=%31", b"&q=%u0041",
]  # fmt: skip

CONTENT_TYPES = [
    b"application/json; charset=utf-8", b"APPLICATION/JSON", b" application/json ", b"application/vnd.api+json", b"application/json;",
    b"application/json; charset=utf-16", b"text/json", b"text/plain", b"text/x+json", b"application/x+json/y", b"application/json/x", b"+json",
    b"application/+json", b"json", b"", b";", b"application/json, text/plain", b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x", b"application/\xffjson", b"application/json\xa0", b'application/json; x="', b"application /json",
]  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """One request as a server hands it on.

    Attributes:
        path: percent-encoded, as on the wire.
        chunks: the body, in the pieces in which it arrives.
        breaks_off: the client leaves before its body is complete.
    """

    method: str
    path: str
    query: bytes
    headers: tuple[Header, ...]
    chunks: tuple[bytes, ...] = ()
    breaks_off: bool = False

    def with_body(self, *documents: Any, content_types: Sequence[bytes] = (b"application/json",)) -> "Sent":
        """The same request with a JSON body, if there is a document."""
        if not documents:
            return self
        body = json.dumps(documents[0]).encode()
        types = tuple((b"content-type", value) for value in content_types)
        headers = (*self.headers, *types, (b"content-length", str(len(body)).encode()))
        return replace(self, headers=headers, chunks=(body,))

    def scope(self) -> dict[str, Any]:
        """The ASGI scope, with the path decoded as uvicorn does it."""
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": unquote(self.path),
            "raw_path": self.path.encode("ascii"),
            "root_path": "",
            "query_string": self.query,
            "headers": list(self.headers),
            "client": ("127.0.0.1", 50_000),
            "server": ("test", 80),
            "state": {},
        }

    def messages(self) -> list[dict[str, Any]]:
        """What the server hands on after the scope, as long as the client waits for its answer."""
        last = len(self.chunks) - 1
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": chunk, "more_body": index < last or self.breaks_off}
            for index, chunk in enumerate(self.chunks)
        ]
        if self.breaks_off:
            return [*messages, {"type": "http.disconnect"}]
        return messages or [{"type": "http.request"}]


def good_request(shape: Shape) -> Sent:
    """The request that the shape is meant for: the first of its values and bodies."""
    path = shape.path
    for name, good in shape.segments.items():
        path = _fill(path, name, good[0])
    headers = [(name.encode(), good[0].encode()) for name, good in shape.headers.items()]
    if shape.cookies:
        headers.append((b"cookie", "; ".join(f"{k}={v[0]}" for k, v in shape.cookies.items()).encode()))
    query = urlencode({name: good[0] for name, good in shape.query.items()}).encode()
    return Sent(shape.method, path, query, (*headers, REQUEST_ID)).with_body(*shape.bodies[:1])


def _fill(path: str, name: str, value: str) -> str:
    for spelling in (f"{{{name}}}", f"{{{name}:path}}", f"{{{name}:int}}"):
        path = path.replace(spelling, value)
    return path


def _once_in(count: int, draw: st.DrawFn) -> bool:
    """Whether something odd is to happen; no is the simpler case, to which hypothesis shrinks."""
    return draw(st.integers(0, count - 1)) == count - 1


_hostile = st.sampled_from(HOSTILE) | st.text(max_size=8)


def _values(good: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """What one parameter gets: mostly one good value, else none, several, or bad ones."""
    one = st.sampled_from(good)
    return st.integers(0, 19).flatmap(
        lambda kind: (
            one.map(lambda value: [value])
            if kind < 12
            else _hostile.map(lambda value: [value])
            if kind < 15
            else st.just([])
            if kind < 17
            else st.lists(one | _hostile, min_size=2, max_size=3)
        )
    )


@st.composite
def _pairs(draw: st.DrawFn, names: Values) -> list[tuple[str, str]]:
    pairs = [(name, value) for name, good in names.items() for value in draw(_values(good))]
    if _once_in(20, draw):
        pairs.append((draw(st.sampled_from(["x", "", "self", "kwargs", "é", *names])), draw(_hostile)))
    return list(draw(st.permutations(pairs))) if _once_in(4, draw) else pairs


def _encode(text: str, draw: st.DrawFn) -> str:
    data = text.encode("utf-8", "surrogatepass")
    style = draw(st.integers(0, 9))
    if style == 9:
        return "".join(f"%{byte:02X}" for byte in data)
    if style == 8:
        return quote(text.encode("latin-1", "replace"))
    return quote(data).replace("%20", "+" if style < 5 else "%20")


@st.composite
def _query(draw: st.DrawFn, shape: Shape) -> bytes:
    pairs = draw(_pairs(shape.query))
    query = "&".join(f"{_encode(name, draw)}={_encode(value, draw)}" for name, value in pairs).encode()
    return query + draw(st.sampled_from(ODD_QUERY)) if _once_in(10, draw) else query


def _latin(text: str) -> bytes:
    """As a header carries it; a server lets no line end through."""
    return text.translate({10: None, 13: None, 0: None}).encode("utf-8", "surrogatepass")[:2000]


@st.composite
def _cookies(draw: st.DrawFn, shape: Shape) -> list[Header]:
    pairs = draw(_pairs(shape.cookies)) if shape.cookies else []
    parts = [f"{name}={value}" for name, value in pairs]
    if shape.cookies and _once_in(5, draw):
        parts.append(
            draw(
                st.sampled_from(["", "=", "session", '"x"', 'session="a\\073b"', " ;; ", "count =1", "c=a=b"])
            )
        )
    if len(parts) > 1 and draw(st.booleans()):
        return [(b"cookie", _latin(part)) for part in parts]
    return [(b"cookie", _latin("; ".join(parts)))] if parts else []


@st.composite
def _path(draw: st.DrawFn, shape: Shape) -> str:
    path = shape.path
    for name, good in shape.segments.items():
        value = draw(_hostile if _once_in(4, draw) else st.sampled_from(good))
        raw = (
            value
            if value in good
            else quote(value.encode("utf-8", "surrogatepass"), safe="" if draw(st.booleans()) else "/")
        )
        path = _fill(path, name, raw)
    odd = draw(st.integers(0, 39))
    return path + "/" if odd == 39 else path.replace("/", "//", 1) if odd == 38 else path


def _cut(draw: st.DrawFn, body: bytes) -> tuple[bytes, ...]:
    """The body in one piece or in several, some of them empty."""
    if not _once_in(3, draw):
        return (body,)
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    return tuple(body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True))


def _body_headers(draw: st.DrawFn, body: bytes, takes_body: bool) -> list[Header]:
    kind = draw(st.integers(0, 19))
    if kind < 12 and (takes_body or body):
        types = [b"application/json"]
    elif kind < 15:
        types = []
    else:
        types = draw(st.lists(st.sampled_from([*CONTENT_TYPES, b"application/json"]), min_size=1, max_size=2))
    headers = [(b"content-type", value) for value in types]
    framing = draw(st.integers(0, 9))
    if framing < 6:
        headers.append((b"content-length", str(len(body)).encode()))
    elif framing < 9:
        headers.append((b"transfer-encoding", b"chunked"))
    return headers


@st.composite
def requests(draw: st.DrawFn, shape: Shape) -> Sent:
    """A request to this shape."""
    takes_body = bool(shape.bodies)
    body = draw(bodies(shape.bodies)) if takes_body else b"{}" if _once_in(20, draw) else b""
    pairs = draw(_pairs(shape.headers)) if shape.headers else []
    headers = [(name.lower().encode("utf-8"), _latin(value)) for name, value in pairs]
    headers += draw(_cookies(shape))
    headers += _body_headers(draw, body, takes_body)
    headers.append(REQUEST_ID)
    accept = draw(st.sampled_from([b"", b"application/problem+json", b"*/*"]))
    if accept:
        headers += [(b"accept", accept), (b"accept-language", b"zh;q=0.9, en;q=0.1")]
    method = {37: "TRACE", 38: "OPTIONS", 39: "HEAD"}.get(draw(st.integers(0, 39)), shape.method)
    return Sent(
        method,
        draw(_path(shape)),
        draw(_query(shape)),
        tuple(headers),
        _cut(draw, body),
        # Where nobody reads the body, the response would race with the news.
        breaks_off=takes_body and _once_in(40, draw),
    )

"""Bytes that are almost HTTP, to a real server: two readers of them shall never disagree about where a request ends.

A request of which it is not clear where it ends is refused and its connection closed, so that nothing behind it is taken for
another request; and whatever comes, the server goes on to serve, and it is never a fault of its own.
"""

import json
import re
import socket
from contextlib import suppress

import pytest

from xumi.kernel.testing.server import RunningServer

pytestmark = pytest.mark.timeout(60)

PATIENCE_SECONDS = 1.0
# Between what comes in answer to one request and what would come in answer to another behind it.
PAUSE_SECONDS = 0.2
SECRET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
LOGIN = json.dumps({"username": "nobody", "password": "a wrong guess"}).encode()
POST = b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(LOGIN), LOGIN)

# What follows the request that a proxy would have seen must not be answered as a request of its own.
SMUGGLED = {
    "length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECRET,
    "chunks and length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 400\r\n\r\n0\r\n\r\n"
    + SECRET,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SECRET) + SECRET,
    "a list of lengths": POST + b"Content-Length: 0, %d\r\n\r\n" % len(SECRET) + SECRET,
    "a length with a sign": POST + b"Content-Length: +0\r\n\r\n" + SECRET,
    "a length below nothing": POST + b"Content-Length: -1\r\n\r\n" + SECRET,
    "a length in hexadecimal": POST + b"Content-Length: 0x0\r\n\r\n" + SECRET,
    "a length too large": POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + SECRET,
    "a space before the colon": POST + b"Content-Length : 0\r\n\r\n" + SECRET,
    "chunks in another spelling": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SECRET,
    "chunks twice": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
    + SECRET,
    "chunks behind a tab": POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + SECRET,
    "a chunk's size below nothing": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + SECRET,
    "a chunk's size too large": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + SECRET,
    "a chunk longer than its size": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n" + SECRET,
    "a folded header": POST + b"X: a\r\n b\r\nContent-Length:\r\n 0\r\n\r\n" + SECRET,
    "NUL in a header": POST + b"X: a\0b\r\nContent-Length: 0\r\n\r\n" + SECRET,
    "a lone return in a header": POST + b"X: a\rContent-Length: 5\r\n\r\n" + SECRET,
    "another version": b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n" + SECRET,
    "no name": POST + b": x\r\n\r\n" + SECRET,
    "nonsense": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60 + SECRET,
}
# Large or odd, but clear.
CLEAR = {
    "no version": b"GET /health\r\n\r\n",
    "a header of 200 KB": b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    "5,000 headers": b"GET /health HTTP/1.1\r\nHost: x\r\n"
    + b"".join(b"X%d: y\r\n" % n for n in range(5000))
    + b"\r\n",
    "a path of 100 KB": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that leads up": b"GET /docs/assets/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "the same encoded": b"GET /docs/assets/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in a path": b"GET /docs/assets/a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that is no text": b"GET /%ff%fe%80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a whole address": b"GET http://elsewhere.example/health HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "TRACE": b"TRACE /health HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown method": b"BREW /health HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "two authorizations": b"GET /auth/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "bytes as authorization": b"GET /auth/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: \xff\xfe\x80\r\n\r\n",
    "an upgrade": b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an odd expectation": POST + b"Expect: 999-nothing\r\nContent-Length: %d\r\n\r\n" % len(LOGIN) + LOGIN,
    "honest chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    "a length and half of the body": POST + b"Content-Length: 400\r\n\r\n" + LOGIN,
    "a compressed body": POST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(LOGIN) + LOGIN,
}


def talk(server: RunningServer, sent: bytes) -> tuple[list[int], bool]:
    """The statuses that come back, and whether the server has closed the connection."""
    host, port = server.url.removeprefix("http://").split(":")
    received, closed = b"", False
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        with suppress(TimeoutError):
            try:
                while data := connection.recv(65_536):
                    received += data
                    connection.settimeout(PAUSE_SECONDS)
            except ConnectionError:
                pass
            closed = True
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d\d\d)", received)], closed


def test_nothing_is_smuggled_behind_a_request(server: RunningServer) -> None:
    wrong = {}
    for name, sent in SMUGGLED.items():
        statuses, closed = talk(server, sent)
        if 200 in statuses or any(status >= 500 for status in statuses) or len(statuses) > 1 or not closed:
            wrong[name] = statuses, closed
    assert wrong == {}
    assert talk(server, SECRET)[0] == [200]


def test_odd_requests_are_no_fault_of_the_server(server: RunningServer) -> None:
    wrong = {}
    for name, sent in CLEAR.items():
        statuses, _ = talk(server, sent)
        if any(status >= 500 for status in statuses) or len(statuses) > 1:
            wrong[name] = statuses
    assert wrong == {}
    assert talk(server, SECRET)[0] == [200]
    assert "Traceback" not in server.output()

"""The shortest way from a finished answer to uvicorn's connection.

uvicorn takes a response in two messages, and checks and joins its headers one by one each time: a tenth of what a page costs the
server. Ours are known, so a whole answer is written at once. Where more is to do (a full buffer, a connection that closes,
HEAD), under another server and under middleware of somebody's, answers go in ASGI's messages.
"""

from collections.abc import Iterable

import uvicorn
from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

# What is done here is what `RequestResponseCycle.send` does in these versions.
_IS_KNOWN = uvicorn.__version__.startswith("0.54.")


def find_connection(send: Send) -> RequestResponseCycle | None:
    """The connection behind `send` where a whole answer can be written to it, otherwise None.

    Args:
        send: what the server has given to the application.
    """
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or not _IS_KNOWN:
        return None
    if cycle.flow.write_paused or cycle.disconnected or cycle.response_started or not cycle.keep_alive:
        return None
    return None if cycle.access_log or cycle.scope["method"] == "HEAD" else cycle


def join_headers(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they stand on the wire; they have to be valid."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


class Wire:
    """Writes whole answers; one for each application."""

    def __init__(self) -> None:
        self._server_headers: list[tuple[bytes, bytes]] = []
        self._joined = b""

    def write(self, cycle: RequestResponseCycle, status: int, headers: bytes, body: bytes) -> None:
        """Write a whole answer.

        Args:
            cycle: what `find_connection` has found.
            status: the response's status.
            headers: lines that end with CR LF, valid, and with the length of the body.
            body: everything.
        """
        # uvicorn makes another list each second.
        if cycle.default_headers is not self._server_headers:
            self._server_headers = cycle.default_headers
            self._joined = join_headers(cycle.default_headers)
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"%b%b%b\r\n%b" % (STATUS_LINE[status], self._joined, headers, body))
        cycle.message_event.set()
        cycle.on_response()

"""One request and its response."""

from __future__ import annotations

import random
import re
from time import perf_counter
from typing import TYPE_CHECKING

from starlette.types import Message, Receive, Scope, Send

from xumi.kernel import log, metrics
from xumi.kernel.context import Context
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.http.deadline import Deadline
from xumi.kernel.http.execution import Sender, json_headers
from xumi.kernel.http.response_headers import ResponseHeaders
from xumi.kernel.http.router import Route
from xumi.kernel.http.wire import Wire, find_connection

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_UNMATCHED = "unmatched"
_READ = frozenset(
    (
        b"x-request-id",
        b"authorization",
        b"x-api-key",
        b"origin",
        b"content-length",
        b"content-type",
        b"transfer-encoding",
    )
)


class Exchange(Sender):
    """One request and its response; as an ASGI `send` it takes the response.

    Args:
        resources: what this process holds.
        ip: the client's address.
        response_headers: what every response carries.
        wire: the way to the server.
        scope: ASGI's.
        receive: ASGI's.
        send: ASGI's.
    """

    __slots__ = (
        "_limit", "_receive", "_received", "_response_headers", "_send", "_wire", "body_complete", "context", "deadline",
        "headers", "route", "scope", "started", "started_at", "status",
    )  # fmt: skip

    def __init__(
        self,
        resources: Resources,
        ip: str,
        response_headers: ResponseHeaders,
        wire: Wire,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self.started_at = perf_counter()
        self._response_headers, self._wire, self._receive, self._send = response_headers, wire, receive, send
        self.scope = scope
        self.headers: dict[bytes, bytes] = {name: value for name, value in scope["headers"] if name in _READ}
        inbound = self.headers.get(b"x-request-id")
        accepted = inbound is not None and _REQUEST_ID.fullmatch(inbound)
        request_id = inbound.decode() if inbound and accepted else f"{random.getrandbits(128):032x}"
        self.context = Context(resources, request_id, route=_UNMATCHED, ip=ip, is_request=True)
        self.route: Route | None = None
        self.deadline: Deadline | None = None
        self.started = False
        self.status = 500
        self.body_complete = True
        self._limit = self._received = 0

    @property
    def is_public(self) -> bool:
        """Whether anybody gets this answer."""
        return self.route is not None and self.route.policy.public

    def limit_body(self, limit: int) -> None:
        """Refuse a body of more than `limit` bytes, by its declared length at once, otherwise while it arrives."""
        self._limit = limit
        length = self.headers.get(b"content-length")
        if length is None:
            self.body_complete = b"transfer-encoding" not in self.headers
            return
        if length.isdigit() and int(length) > limit:
            raise APIException(APICode.BODY_TOO_LARGE, limit=limit, headers={"Connection": "close"})
        self.body_complete = length == b"0" and b"transfer-encoding" not in self.headers

    def expect_json(self) -> None:
        """Refuse a body that says it is something else, before its content puzzles the validation."""
        media_type = self.headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        is_json = media_type == b"application/json" or media_type.endswith(b"+json")
        has_body = self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers
        if has_body and not is_json:
            raise APIException(APICode.UNSUPPORTED_MEDIA_TYPE, expected="application/json")

    async def receive(self) -> Message:
        """The next piece of the body."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            self.body_complete = not message.get("more_body", False)
            if self._received > self._limit:
                raise APIException(APICode.BODY_TOO_LARGE, limit=self._limit, headers={"Connection": "close"})
        return message

    async def __call__(self, message: Message) -> None:
        """Pass a piece of the response on; the transaction is committed before the first one leaves."""
        if message["type"] == "http.response.start":
            await self._begin(message["status"])
            message["headers"] = self._response_headers.complete(self, message["headers"])
        await self._send(message)

    async def answer(self, status: int, content: bytes) -> None:
        """Send a whole JSON answer that has no headers of its own."""
        await self._begin(status)
        cycle = find_connection(self._send)
        if cycle is not None and (headers := self._response_headers.join(self, len(content))) is not None:
            self._wire.write(cycle, status, headers, content)
        else:
            completed = self._response_headers.complete(self, json_headers(content))
            await self._send({"type": "http.response.start", "status": status, "headers": completed})
            await self._send({"type": "http.response.body", "body": content})

    async def _begin(self, status: int) -> None:
        if (unit_of_work := self.context.unit_of_work) is not None:
            await (unit_of_work.commit() if status < 400 else unit_of_work.rollback())
        # A stream may take longer than its first byte.
        if self.deadline is not None:
            self.deadline.stop()
        self.started, self.status = True, status

    def record(self) -> None:
        """Write the access line and the metrics."""
        seconds = perf_counter() - self.started_at
        context, method = self.context, self.scope["method"]
        principal = context.principal
        metrics.observe_request(
            method if method in _METHODS else "OTHER", context.route, self.status, seconds
        )
        log.access(
            method,
            self.scope["path"],
            context.route,
            self.status,
            seconds * 1000,
            principal.user_id if principal is not None else None,
            context.ip,
            context.request_id,
        )

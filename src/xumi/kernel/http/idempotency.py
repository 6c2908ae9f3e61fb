"""`idempotent=True`: a route whose requests may be sent again without happening again.

A request with the header `Idempotency-Key` is answered once for its caller and route; the same request with the same key
gets that answer again, with `Idempotency-Replayed: true`. The key is claimed in the transaction of the effect
(`kernel.idempotency`), so that both are committed together. Routes without it do not pass through here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from starlette.types import Message, Receive, Scope, Send

from xumi.kernel import clock
from xumi.kernel.context import Context, current
from xumi.kernel.db.session import request_session
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.http.execution import (
    Handler,
    Sender,
    join_body,
    json_headers,
    receive_body,
    replay,
    send_answer,
)
from xumi.kernel.http.failure import translate
from xumi.kernel.idempotency import (
    MAX_BODY_BYTES,
    Answer,
    KeyTaken,
    StoredAnswer,
    claim,
    find_answer,
    prune,
    store_answer,
    write_answer,
)
from xumi.kernel.ids import derive_key

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources

Headers = Sequence[tuple[bytes, bytes]]
Render = Callable[[Scope, APIException], tuple[int, Headers, bytes]]

HEADER = "Idempotency-Key"
REPLAYED = (b"idempotency-replayed", b"true")
PRUNE_INTERVAL_SECONDS = 3600
_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
# These say "try again": remembered, they would be repeated to whoever does.
_PASSING = frozenset({408, 425, 429})


class OnceHandler:
    """Runs a route's handler at most once for each key.

    Args:
        label: the route, `METHOD /path`.
        handler: how it runs.
        render: what the pipeline answers to an error: status, headers and body.
    """

    def __init__(self, label: str, handler: Handler, render: Render) -> None:
        self._label = label
        self._handler = handler
        self._render = render
        self._running: set[str] = set()
        self._prune_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = [value for name, value in scope["headers"] if name == b"idempotency-key"]
        if not sent:
            await self._handler(scope, receive, send)
            return
        if len(sent) > 1 or not _KEY.fullmatch(sent[0]):
            raise APIException(APICode.IDEMPOTENCY_KEY_INVALID)
        context = current()
        assert context.principal is not None
        key = derive_key(context.principal.user_id.encode(), self._label.encode(), sent[0])
        messages = await receive_body(receive)
        if messages[-1]["type"] == "http.disconnect":
            raise APIException(APICode.BAD_REQUEST)
        fingerprint = derive_key(
            scope["method"].encode(), scope["path"].encode(), scope["query_string"], join_body(messages)
        )
        call = Call(key, fingerprint)
        try:
            await self._run(call, context, scope, replay(messages, receive), send)
        except KeyTaken:
            answer = await _find_committed(key, context)
            if answer is None:
                raise _running() from None
            if not answer.outdated:
                await _replay(answer, call, send)
                return
            call.outdated = True
            try:
                await self._run(call, context, scope, replay(messages, receive), send)
            except KeyTaken:
                raise _running() from None

    async def _run(self, call: Call, context: Context, scope: Scope, receive: Receive, send: Send) -> None:
        if call.key in self._running:
            raise KeyTaken
        self._running.add(call.key)
        try:
            await self._run_claimed(call, context, scope, receive, send)
        finally:
            self._running.discard(call.key)
            self._prune(context.resources)

    async def _run_claimed(
        self, call: Call, context: Context, scope: Scope, receive: Receive, send: Send
    ) -> None:
        session = await request_session()
        await claim(session, call.key, call.fingerprint, outdated=call.outdated)
        recorder = _Recorder(self._label, call, context, send)
        try:
            await self._handler(scope, receive, recorder)
        except Exception as error:
            if not recorder.sent:
                await self._remember(error, call, context, scope)
            raise

    async def _remember(self, error: Exception, call: Call, context: Context, scope: Scope) -> None:
        """Keep the answer to an error of the caller's; the pipeline is going to send it."""
        exception = translate(error)
        if exception is None or not _is_final(exception.code.status):
            return
        assert context.unit_of_work is not None
        await context.unit_of_work.rollback()
        status, headers, body = self._render(scope, exception)
        await store_answer(call.key, call.answer(status, headers, body))

    def _prune(self, resources: Resources) -> None:
        now = clock.monotonic()
        if now >= self._prune_at:
            self._prune_at = now + PRUNE_INTERVAL_SECONDS
            resources.background(prune, "prune idempotency keys")


class Call:
    """One request with a key; `outdated` says that the key has an old answer, which no longer counts."""

    __slots__ = ("fingerprint", "key", "outdated")

    def __init__(self, key: str, fingerprint: str) -> None:
        self.key, self.fingerprint, self.outdated = key, fingerprint, False

    def answer(self, status: int, headers: Headers, body: bytes) -> Answer:
        """The answer as it is kept."""
        found = {name.lower(): value.decode("latin-1") for name, value in headers}
        return Answer(
            fingerprint=self.fingerprint,
            status=status,
            content_type=found.get(b"content-type"),
            location=found.get(b"location"),
            body=body,
        )


class _Recorder(Sender):
    """Holds the response back until it is whole, and sees to it that it is written before the commit."""

    def __init__(self, label: str, call: Call, context: Context, send: Send) -> None:
        self._label, self._call, self._context, self._send = label, call, context, send
        self._start: Any = None
        self._pieces: list[bytes] = []
        self._size = 0
        self.sent = False

    async def __call__(self, message: Message) -> None:
        """Take a piece of the response."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        piece = message.get("body", b"")
        self._pieces.append(piece)
        self._grow(len(piece))
        if not message.get("more_body", False):
            body = b"".join(self._pieces)
            await self._keep(self._start["status"], self._start["headers"], body)
            await self._send(self._start)
            self.sent = True
            await self._send({"type": "http.response.body", "body": body})

    async def answer(self, status: int, content: bytes) -> None:
        """Take the whole response."""
        self._grow(len(content))
        await self._keep(status, json_headers(content), content)
        await send_answer(self._send, status, content)
        self.sent = True

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MAX_BODY_BYTES:
            raise RuntimeError(
                f"{self._label} is idempotent, and its answer has more than the {MAX_BODY_BYTES} bytes that are remembered: "
                "answer with less, such as the id of what was made."
            )

    async def _keep(self, status: int, headers: Headers, body: bytes) -> None:
        answer = self._call.answer(status, headers, body)
        work, key = self._context.unit_of_work, self._call.key
        assert work is not None
        if status < 400:
            work.before_commit(lambda _: write_answer(work, key, answer))
        elif _is_final(status):
            await work.rollback()
            await store_answer(key, answer)


async def _find_committed(key: str, context: Context) -> StoredAnswer | None:
    """What was answered by the one who has, or had, the key."""
    if context.unit_of_work is not None:
        await context.unit_of_work.rollback()
    return await find_answer(key)


async def _replay(answer: StoredAnswer, call: Call, send: Send) -> None:
    """Send an answer again.

    Raises:
        APIException: `IDEMPOTENCY_KEY_REUSED`, it answered another request.
    """
    if answer.fingerprint != call.fingerprint:
        raise APIException(APICode.IDEMPOTENCY_KEY_REUSED)
    headers = [REPLAYED]
    for name, value in ((b"content-type", answer.content_type), (b"location", answer.location)):
        if value is not None:
            headers.append((name, value.encode("latin-1")))
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _is_final(status: int) -> bool:
    return 400 <= status < 500 and status not in _PASSING


def _running() -> APIException:
    return APIException(APICode.IDEMPOTENCY_KEY_RUNNING, headers={"Retry-After": "1"})

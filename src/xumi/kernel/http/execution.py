"""What the two ways of running a route share: the compiled closure and FastAPI's own path."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope, Send

from xumi.kernel.errors import APICode, APIException, FieldError

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

HIDDEN_RESPONSE = "xumi_response"
"""The parameter by which FastAPI's path hands over the `Response` on which dependencies may have set headers."""

# Every escape of JSON but half a surrogate pair; what is left of a valid document after taking these away has no backslash.
_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u(?![dD][89a-fA-F])|\\[^u]", re.DOTALL
)
_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


class Sender(ABC):
    """An ASGI `send` that takes a finished answer in one piece as well."""

    __slots__ = ()

    @abstractmethod
    async def __call__(self, message: Message) -> None:
        """Pass a piece of the response on."""

    @abstractmethod
    async def answer(self, status: int, content: bytes) -> None:
        """Send a whole JSON answer that has no headers of its own."""


def json_headers(content: bytes) -> list[tuple[bytes, bytes]]:
    """The headers that describe a JSON answer."""
    return [(b"content-length", b"%d" % len(content)), (b"content-type", b"application/json")]


async def send_answer(send: Send, status: int, content: bytes) -> None:
    """Send a whole JSON answer that has no headers of its own, in one piece where `send` takes it so."""
    if isinstance(send, Sender):
        await send.answer(status, content)
    else:
        await send({"type": "http.response.start", "status": status, "headers": json_headers(content)})
        await send({"type": "http.response.body", "body": content})


class Uncompilable(Exception):
    """A declaration that is left to FastAPI; says which part of it."""


async def receive_body(receive: Receive) -> list[Message]:
    """All messages up to the end of the body, or of the connection."""
    messages = []
    while True:
        messages.append(message := await receive())
        if not message.get("more_body", False):
            return messages


def join_body(messages: list[Message]) -> bytes:
    """The bytes that the messages carry."""
    pieces: list[bytes] = [message.get("body", b"") for message in messages]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def replay(messages: list[Message], receive: Receive) -> Receive:
    """The messages once more, then whatever comes."""
    remaining = iter(messages)

    async def replayed() -> Any:
        message = next(remaining, None)
        return message if message is not None else await receive()

    return replayed


def may_be_lax(body: bytes) -> bool:
    """Whether the body may have numbers that are no JSON and that readers take all the same. Costs next to nothing."""
    return b"NaN" in body or b"Infinity" in body


def check_json(body: bytes) -> None:
    """Refuse what is no JSON, though Python's own reader takes it, and what no database and no response could hold.

    Raises:
        APIException: INVALID_ENCODING, it is not UTF-8, which JSON is (RFC 8259 §8.1); INVALID_JSON, a text has half a
            surrogate pair (§8.2), or a number is NaN or infinite (§6).
    """
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise APIException(APICode.INVALID_ENCODING) from error
    if b"\0" in body:
        # No JSON in UTF-8 has that byte, and in UTF-16 and UTF-32 almost all has.
        raise APIException(APICode.INVALID_ENCODING)
    if _HALF_A_PAIR.search(body) and b"\\" in _ESCAPES.sub(b"", body):
        raise APIException(APICode.INVALID_JSON, reason="a text has half of a surrogate pair")
    if may_be_lax(body):
        # What else is wrong with it FastAPI will say.
        with suppress(ValueError, RecursionError):
            json.loads(body, parse_constant=_refuse_constant)


def refuse_nul(scope: Scope) -> None:
    """Refuse parameters that hold the character NUL, which PostgreSQL has in no text and SQLite would look for in vain.

    Raises:
        APIException: VALIDATION_FAILED, naming them.
    """
    given = [*scope["path_params"].items(), *parse_qsl(scope["query_string"].decode("latin-1"), True)]
    names = dict.fromkeys(name for name, value in given if "\0" in name or "\0" in str(value))
    if names:
        errors = [FieldError(name, "must not contain the character NUL") for name in names]
        raise APIException(APICode.VALIDATION_FAILED, errors=errors)


def _refuse_constant(name: str) -> None:
    raise APIException(APICode.INVALID_JSON, reason=f"{name} is no number")

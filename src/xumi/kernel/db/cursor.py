"""The cursor of keyset paging: where the last page ended, as an opaque text that only we can make.

It holds the sort it belongs to and the values of the last row, as the driver gave them, under a short authentication code, so
that a changed cursor is told apart from a valid one.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from xumi.kernel.config import running_settings
from xumi.kernel.errors import APICode, APIException, FieldError

MAX_CURSOR_LENGTH = 2000
_CODE_BYTES = 12

# How values that JSON does not know travel: a letter and a text.
_WRITERS: dict[type, tuple[str, Callable[[Any], str]]] = {
    datetime: ("t", datetime.isoformat),
    date: ("d", date.isoformat),
    time: ("h", time.isoformat),
    Decimal: ("n", str),
    UUID: ("u", str),
    # A time of day as MySQL's driver gives it.
    timedelta: ("p", lambda value: str(value // timedelta(microseconds=1))),
}
_READERS: dict[str, Callable[[str], Any]] = {
    "t": datetime.fromisoformat,
    "d": date.fromisoformat,
    "h": time.fromisoformat,
    "n": Decimal,
    "u": UUID,
    "p": lambda text: timedelta(microseconds=int(text)),
}


def encode_cursor(sort: str, values: Sequence[Any]) -> str:
    """The cursor behind a row.

    Raises:
        TypeError: a value is of a type that cannot be paged by.
    """
    payload = msgspec.json.encode([sort, [_write(value) for value in values]])
    return base64.urlsafe_b64encode(_code(payload) + payload).rstrip(b"=").decode()


def decode_cursor(cursor: str, sort: str, count: int) -> list[Any]:
    """The values of the row that the cursor was made for.

    Raises:
        APIException: 422 naming `after`; the cursor is not one of ours, or belongs to another sort.
    """
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        payload = data[_CODE_BYTES:]
        if not hmac.compare_digest(_code(payload), data[:_CODE_BYTES]) or encode_back(data) != cursor:
            raise ValueError
        made_for, values = msgspec.json.decode(payload, type=tuple[str, list[Any]])
        if made_for != sort or len(values) != count:
            raise ValueError
        return [_read(value) for value in values]
    except (ValueError, msgspec.MsgspecError):
        reason = "is not a cursor that this list gave for this sort: start again without it"
        raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError("after", reason)]) from None


def encode_back(data: bytes) -> str:
    """The one text of these bytes: base 64 would accept several that differ in their last bits."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _code(payload: bytes) -> bytes:
    secret = running_settings().secret_key.get_secret_value().encode()
    key = hashlib.sha256(b"xumi.cursor\0" + secret).digest()
    return hashlib.blake2b(payload, key=key, digest_size=_CODE_BYTES).digest()


def _write(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    for kind, (letter, write) in _WRITERS.items():
        if isinstance(value, kind):
            return [letter, write(value)]
    raise TypeError(f"Cannot page by keyset over {type(value).__name__}: sort by text, a number or a time.")


def _read(value: Any) -> Any:
    return _READERS[value[0]](value[1]) if isinstance(value, list) else value

"""The one logger, and the fast path for access lines."""

import asyncio
import atexit
import logging
import os
import select
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec

from xumi.kernel.context import find_current
from xumi.kernel.log.clean import clean_field, clean_text
from xumi.kernel.log.line import EXCEPTION, Record, json_line, text_line, timestamp

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50

_NAMES = {CRITICAL: "critical", ERROR: "error", WARNING: "warning", INFO: "info", DEBUG: "debug"}
_OWN_KEYS = frozenset(("timestamp", "level", "logger", "message", EXCEPTION))
_MAX_TRACEBACK = 20_000
_MAX_PATH = 2_000
# Collectors cut or drop longer lines. A traceback at its longest fits in, even if every character is escaped.
_MAX_LINE = 200_000
_MAX_NAMES = 50


def write_stdout(line: bytes) -> None:
    """Write one line to standard output at once, so that the lines of several processes do not mix."""
    while line:
        try:
            line = line[os.write(1, line) :]
        except BlockingIOError:
            select.select([], [1], [])
        except OSError:
            return  # Nobody reads any more; a request must not fail for that.


class _Output:
    """Where lines go, from which level on, and in which form."""

    threshold = INFO
    text = False
    write: Callable[[bytes], None] = staticmethod(write_stdout)


_output = _Output()
_pending: list[bytes] = []


def _write_soon(line: bytes) -> None:
    """Write an access line in this turn of the event loop, together with those of the other requests that end in it.

    A system call costs a busy server 20 µs, mostly by what it throws out of the processor's caches.
    """
    _pending.append(line)
    if len(_pending) == 1:
        try:
            asyncio.get_running_loop().call_soon(_flush)
        except RuntimeError:
            _flush()


def _flush() -> None:
    if _pending:
        lines = b"".join(_pending)
        _pending.clear()
        write_stdout(lines)


atexit.register(_flush)


def set_output(
    level: str, form: Literal["json", "text"], write: Callable[[bytes], None] | None = None
) -> None:
    """Set level, form and, for tests, the function that takes each line."""
    _output.threshold = logging.getLevelNamesMapping()[level.upper()]
    _output.text = form == "text"
    _output.write = write or write_stdout


def emit(level: int, name: str, message: object, fields: Record, error: BaseException | None = None) -> None:
    """Write one record. Whatever the fields are, this raises nothing: a log line must not break what it tells of."""
    level_name = next(name for number, name in _NAMES.items() if level >= number or number == DEBUG)
    record: Record = {"timestamp": timestamp(), "level": level_name, "logger": clean_text(name)}
    try:
        head = record | {"message": clean_text(str(message))}
        context = find_current()
        if context is not None:
            head["request_id"] = context.request_id
            if context.job is not None:
                head |= {"job": context.job.name, "job_id": context.job.id}
        line = _line(head | _cleaned(fields, error))
        if len(line) > _MAX_LINE:
            line = _line(head | {"fields_left_out": sorted(map(clean_text, fields))[:_MAX_NAMES]})
    except Exception as failure:
        # The fields' own code failed; what failed is told without calling it again.
        line = _line(
            record | {"message": "a log record could not be written", "reason": type(failure).__name__}
        )
    # What was said first stands first.
    _flush()
    _output.write(line)


def _line(record: Record) -> bytes:
    return text_line(record) if _output.text else json_line(record)


def _cleaned(fields: Record, error: BaseException | None) -> Record:
    cleaned = {
        clean_text(f"{key}_" if key in _OWN_KEYS else key): clean_field(key, value)
        for key, value in fields.items()
    }
    if error is not None:
        told = "".join(traceback.format_exception(error))
        cleaned[EXCEPTION] = clean_text(told[-_MAX_TRACEBACK:], _MAX_TRACEBACK)
    return cleaned


class Logger:
    """Writes events with fields: `logger.info("order paid", order_id=order.id)`.

    Args:
        name: what stands as `logger` in the line; None for the module that calls.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str | None = None) -> None:
        self._name = name

    def debug(self, message: object, /, **fields: object) -> None:
        """Something that helps to find a fault."""
        if _output.threshold <= DEBUG:
            emit(DEBUG, self._name or _caller(), message, fields)

    def info(self, message: object, /, **fields: object) -> None:
        """Something that happened as it should."""
        if _output.threshold <= INFO:
            emit(INFO, self._name or _caller(), message, fields)

    def warning(self, message: object, /, **fields: object) -> None:
        """Something that somebody should look at some day."""
        if _output.threshold <= WARNING:
            emit(WARNING, self._name or _caller(), message, fields)

    def error(self, message: object, /, **fields: object) -> None:
        """Something that failed."""
        if _output.threshold <= ERROR:
            emit(ERROR, self._name or _caller(), message, fields)

    def critical(self, message: object, /, **fields: object) -> None:
        """Something that somebody must look at now."""
        if _output.threshold <= CRITICAL:
            emit(CRITICAL, self._name or _caller(), message, fields)

    def exception(self, message: object, /, **fields: object) -> None:
        """A failure with its traceback: of the exception in field `error`, else of the one being handled."""
        if _output.threshold <= ERROR:
            given = fields.get("error")
            error = given if isinstance(given, BaseException) else sys.exception()
            emit(ERROR, self._name or _caller(), message, fields, error)


def _caller() -> str:
    name: str = sys._getframe(2).f_globals.get("__name__", "")
    return name


class AccessLine(msgspec.Struct):
    """One request in the access log; `duration_ms` in milliseconds."""

    timestamp: str
    level: str
    logger: str
    message: str
    request_id: str
    method: str
    path: str
    route: str
    status: int
    duration_ms: float
    user_id: str | None
    ip: str


def access(
    method: str,
    path: str,
    route: str,
    status: int,
    duration_ms: float,
    user_id: str | None,
    ip: str,
    request_id: str,
) -> None:
    """Write the line of one request: level `error` from status 500 on, else `info`.

    Args:
        path: as requested, without the query, which may hold what no log may show.
        route: the template, for example `/api/v1/users/{id}`.
    """
    level = ERROR if status >= 500 else INFO
    if _output.threshold > level:
        return
    line = AccessLine(
        timestamp(), _NAMES[level], "xumi.access", "request", request_id, method, path[:_MAX_PATH], route, status,
        int(duration_ms * 1000) / 1000, user_id, ip,
    )  # fmt: skip
    try:
        encoded = text_line(msgspec.structs.asdict(line)) if _output.text else json_line(line)
    except UnicodeEncodeError:
        fields: Record = {"method": method, "path": line.path, "route": route, "status": status, "ip": ip}
        fields |= {"request_id": request_id, "duration_ms": line.duration_ms, "user_id": user_id}
        emit(level, line.logger, line.message, fields)
        return
    if _output.write is write_stdout:
        _write_soon(encoded)
    else:
        _output.write(encoded)


@contextmanager
def capture(level: str = "DEBUG") -> Iterator[list[Record]]:
    """Collect the records of a block instead of writing them; for tests."""
    before = (_output.threshold, _output.text, _output.write)
    records: list[Record] = []
    set_output(level, "json", lambda line: records.append(msgspec.json.decode(line)))
    try:
        yield records
    finally:
        _output.threshold, _output.text, _output.write = before

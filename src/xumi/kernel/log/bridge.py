"""Libraries that log through Python's `logging` come out of the same writer."""

import logging
from typing import Literal

from xumi.kernel.log.line import Record
from xumi.kernel.log.writer import emit, set_output

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access")
# At DEBUG, some of these write every statement with its values.
_TALKATIVE = ("aiosqlite", "alembic", "asyncio", "httpcore", "httpx", "xumi.kernel.db.session_pool")


class Bridge(logging.Handler):
    """Turns a `logging` record into a line of ours; its `extra` become fields."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; a message that does not fit its arguments is written as it is."""
        try:
            message: object = record.getMessage()
        except Exception:
            message = f"{record.msg} {record.args!r}"
        fields: Record = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        emit(record.levelno, record.name, message, fields, record.exc_info[1] if record.exc_info else None)


def configure(level: str, form: Literal["json", "text"]) -> None:
    """Set level and form of all log lines, and route `logging` here. May be called again."""
    set_output(level, form)
    root = logging.getLogger()
    # Handlers on the terminal would say everything twice; others (a test's, a collector's) stay.
    kept = [handler for handler in root.handlers if type(handler) not in (logging.StreamHandler, Bridge)]
    root.handlers[:] = [*kept, Bridge()]
    root.setLevel(level.upper())
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # Our own access line says more, and no query string. While handlers can be reached, uvicorn makes its own in vain.
    access = logging.getLogger("uvicorn.access")
    access.disabled, access.propagate = True, False
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))

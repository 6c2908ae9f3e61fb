"""Logs: one line each on standard output, JSON for machines or text for people.

    from xumi.kernel.log import logger

    logger.info("order paid", order_id=order.id, fen=order.fen)

gives `timestamp level logger message request_id` and the fields. `logger` in the line is the module that calls. Fields whose
names look secret are masked; nothing in a field can break the line.
"""

from xumi.kernel.log.bridge import configure
from xumi.kernel.log.writer import Logger, access, capture, set_output

logger = Logger()
"""The logger of whichever module calls it."""


def get_logger(name: str) -> Logger:
    """A logger that stands under a name of its own."""
    return Logger(name)


__all__ = ["Logger", "access", "capture", "configure", "get_logger", "logger", "set_output"]

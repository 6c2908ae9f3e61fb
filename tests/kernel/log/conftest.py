"""Collect what is logged, and leave `logging` as it was."""

import logging
from collections.abc import Iterator

import pytest

from xumi.kernel import log


@pytest.fixture
def lines() -> Iterator[list[bytes]]:
    """Raw JSON lines."""
    written: list[bytes] = []
    with log.capture():
        log.set_output("DEBUG", "json", written.append)
        yield written


@pytest.fixture
def text_lines(lines: list[bytes]) -> list[bytes]:
    """Raw text lines."""
    log.set_output("DEBUG", "text", lines.append)
    return lines


@pytest.fixture
def clean_logging() -> Iterator[None]:
    """`logging` as it was, after the test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with log.capture():
        yield
    root.handlers[:] = handlers
    root.setLevel(level)

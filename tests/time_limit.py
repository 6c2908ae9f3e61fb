"""A pytest plugin: a test that takes too long is ended, and so is what hangs when it is torn down.

pytest-timeout fails a test by pytest's own exception, once, and does not look at how a failed test is torn down. Where the exception comes
up in the event loop while a coroutine waits, anyio leaves that coroutine in the loop, and each fixture that is torn down there waits
behind it, for ever. From an exception of another kind anyio cancels the coroutine.
"""

import asyncio
import signal
from collections.abc import Generator
from types import FrameType
from typing import Any

import pytest

_SETTINGS = pytest.StashKey[Any]()


class TookTooLong(BaseException):
    """A test, or a step of tearing it down, has reached its time limit."""


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Generator[None, object, object]:
    """Replace what the alarm does, and set it again for what comes next."""
    armed = yield
    item.stash[_SETTINGS] = settings
    fail: Any = signal.getsignal(signal.SIGALRM)

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, settings.timeout)
        try:
            fail(number, frame)
        except pytest.fail.Exception as error:
            if _is_waiting():
                raise TookTooLong(error.msg) from None
            raise

    signal.signal(signal.SIGALRM, interrupt)
    return armed


def _is_waiting() -> bool:
    try:
        return asyncio.current_task() is None
    except RuntimeError:
        return False


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """The limit holds after a failure too."""
    settings = item.stash.get(_SETTINGS, None)
    if settings is not None and signal.getitimer(signal.ITIMER_REAL)[0] == 0:
        item.ihook.pytest_timeout_set_timer(item=item, settings=settings)

"""A pytest plugin with two guards: tests speak to this machine only, and what must run cannot be skipped.

Load it from the topmost conftest.py: `pytest_plugins = ["xumi.kernel.testing.guards"]`.
"""

import os
import sys
from collections.abc import Generator
from ipaddress import ip_address
from typing import TypeVar

import pytest

REQUIRE_ALL = "XUMI_TEST_REQUIRE_ALL"
"""Environment variable: with `1`, as in CI, a skipped test is a failed one."""

_CONNECTING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_RESOLVING = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain"})


class OutsideConnection(RuntimeError):
    """A test tried to leave this machine."""


def is_local(host: object) -> bool:
    """Whether a host is this machine: a loopback address, its usual name, or none."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None or not isinstance(host, str) or host in _LOCAL_NAMES:
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse_outside(event: str, arguments: tuple[object, ...]) -> None:
    if event in _CONNECTING:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # a text is the path of a unix socket
    elif event in _RESOLVING:
        host = arguments[0]
    else:
        return
    if not is_local(host):
        raise OutsideConnection(
            f"a test may speak to this machine only, not to {host!r}: use a server of its own"
        )


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

_installed = False


def pytest_configure() -> None:
    """Refuse connections from now on; an audit hook cannot be taken away, so it is set once."""
    global _installed
    if not _installed:
        sys.addaudithook(_refuse_outside)
        _installed = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where everything is required."""
    report = yield
    return _required(report, is_expected=hasattr(report, "wasxfail"))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a file that skips itself, as `pytest.importorskip` does."""
    report = yield
    return _required(report, is_expected=False)


def _required(report: Report, *, is_expected: bool) -> Report:
    if report.skipped and not is_expected and os.environ.get(REQUIRE_ALL) == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{reason}\n{REQUIRE_ALL}=1: nothing may be skipped; install what this test needs."
    return report

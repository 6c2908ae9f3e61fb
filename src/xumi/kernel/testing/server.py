"""HTTP tests against a real server: `xumi run` as a process of its own, on a free port, in a directory of its own."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 30.0
STOP_SECONDS = 30.0

_SERVES = re.compile(r"http://127\.0\.0\.1:\d+")
# A setting that the person or the CI who runs the tests has exported must not reach the server under test.
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")


@dataclass
class RunningServer:
    """A server that answers.

    Attributes:
        url: its address, without a slash at the end.
        process: the process that was started; with several workers it is their parent.
        directory: its working directory.
        log: the file that its output goes to.
    """

    url: str
    process: "subprocess.Popen[bytes]"
    directory: Path
    log: Path

    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end and return the exit code.

        Raises:
            subprocess.TimeoutExpired: it does not stop within `STOP_SECONDS`.
        """
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


def clean_environment(**values: str) -> dict[str, str]:
    """An environment for a process under test: what a program needs to run, and the given settings."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return kept | measured | values


@contextmanager
def run_server(
    directory: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] = (),
) -> Iterator[RunningServer]:
    """Start a server, wait until it says that it serves, and kill it at the end of the block if it still runs.

    Args:
        directory: its working directory; what it keeps lands there.
        arguments: further options of `xumi run`.
        environment: settings, `{"DATABASE_URL": …}`.
        command: what to start instead of `xumi run --port 0`.

    Raises:
        RuntimeError: it ended, or did not serve within `START_SECONDS`; with its output.
    """
    command = command or (sys.executable, "-m", "xumi.cli", "run", "--port", "0")
    log = directory / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=directory,
            env=clean_environment(**(environment or {})),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = RunningServer("", process, directory, log)
    try:
        server.url = wait_for_address(server)
        yield server
    finally:
        # The group: workers that outlive their parent end here too.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_address(server: RunningServer) -> str:
    """Wait until a server that was started, or started anew, answers; returns its address.

    Raises:
        RuntimeError: it ended, or did not serve within `START_SECONDS`; with its output.
    """
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.process.poll() is None:
        # The address is said when the socket listens; the first answer comes when a worker has started.
        if (found := _SERVES.search(server.output())) and _answers(found[0]):
            return found[0]
        time.sleep(0.02)
    raise RuntimeError(f"the server does not serve; it wrote:\n{server.output()}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=START_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False

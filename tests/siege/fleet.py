"""Several processes of one project on one database: servers and workers that can be killed and started again."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xumi.kernel.testing.postgres import free_port
from xumi.kernel.testing.server import clean_environment

START_SECONDS = 60.0


class Fleet:
    """Processes by name; each may be killed and started again under its name.

    Args:
        directory: the project.
        settings: environment variables of all processes.
    """

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory, self.port = directory, free_port()
        self._environment = clean_environment(APP_ENV="test", RATE_LIMIT_ENABLED="false", **settings)
        self._commands: dict[str, tuple[str, ...]] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """Where the server answers."""
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str) -> str:
        """Run `python ARGUMENTS` to its end; returns what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def prepare(self) -> None:
        """Bring the database up to date, the project's own tables included."""
        self.run("-m", "xumi.cli", "db", "upgrade")
        self.run("-m", "xumi.cli", "db", "revision", "tables")
        self.run("-m", "xumi.cli", "db", "upgrade")

    def start(self, name: str, *arguments: str) -> None:
        """Start `xumi ARGUMENTS`; `server` is waited for until it answers."""
        self._commands[name] = arguments or self._commands[name]
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "xumi.cli", *self._commands[name]],
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_for_server(self) -> None:
        """Return when the server answers."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"{self.url}/health"):
                return
            time.sleep(0.05)
        raise RuntimeError((self.directory / "server.log").read_text())

    def kill(self, name: str) -> None:
        """End a process at once, as the kernel does when memory runs out."""
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def names(self) -> list[str]:
        """The processes that were started and not killed."""
        return list(self._processes)

    def close(self) -> None:
        """Kill all."""
        for name in self.names():
            self.kill(name)


@contextmanager
def fleet(directory: Path, **settings: str) -> Iterator[Fleet]:
    """A fleet that is gone at the end of the block."""
    opened = Fleet(directory, **settings)
    try:
        yield opened
    finally:
        opened.close()

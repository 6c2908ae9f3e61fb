"""The servers that are compared: how each is started, pinned, watched and stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
START_SECONDS = 20.0
STOP_SECONDS = 10.0


class BenchmarkError(Exception):
    """The run is worth nothing; the message says why."""


@dataclass(frozen=True)
class Variant:
    """`command(port)` serves on 127.0.0.1:port; the environment holds DATABASE_URL, the secrets, and what is its own."""

    key: str
    title: str
    command: Callable[[int], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)


def _uvicorn(application: str) -> Callable[[int], Sequence[str]]:
    command = [sys.executable, "-m", "uvicorn", application, "--app-dir", str(HERE.parent)]
    options = ["--no-access-log", "--log-level", "warning", "--lifespan", "on", "--host", "127.0.0.1"]
    return lambda port: [*command, *options, "--port", str(port)]


def _gunicorn(application: str) -> Callable[[int], Sequence[str]]:
    command = [sys.executable, "-m", "gunicorn", application, "--pythonpath", str(HERE.parent)]
    options = ["--worker-class", "gthread", "--workers", "1", "--threads", "16", "--log-level", "warning"]
    return lambda port: [*command, *options, "--bind", f"127.0.0.1:{port}"]


def xumi_command(*arguments: str) -> list[str]:
    """The command `xumi`, in the environment that runs the benchmark."""
    return [sys.executable, "-m", "xumi.cli", *arguments]


def _xumi(port: int) -> Sequence[str]:
    return xumi_command("run", "--port", str(port))


# What a typed GET of FastAPI alone has not either: no access log, no rate limit.
PLAIN = {"LOG_LEVEL": "WARNING", "RATE_LIMIT_ENABLED": "false", "CORS_ORIGINS": "", "WORKER_ENABLED": "false"}

VARIANTS = (
    Variant("limit", "limit: bare ASGI, driver, msgspec", _uvicorn("benchmarks.limit:app")),
    Variant("xumi", "Xumi", _xumi),
    Variant("xumi-plain", "Xumi, features off", _xumi, PLAIN),
    Variant("bare", "FastAPI alone", _uvicorn("benchmarks.peers.fastapi_bare:app")),
    Variant("lean", "FastAPI, lean middleware + ORM", _uvicorn("benchmarks.peers.fastapi_lean:app")),
    Variant("litestar", "Litestar, its own stack", _uvicorn("benchmarks.peers.litestar_stack:app")),
    Variant("fastapi", "FastAPI the usual way", _uvicorn("benchmarks.peers.fastapi_usual:app")),
    Variant("flask", "Flask 3 + gunicorn gthread", _gunicorn("benchmarks.peers.flask_starter:app")),
)


@dataclass
class Server:
    """A running variant."""

    variant: Variant
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def cpu_seconds(self) -> float:
        """User and system time that the process and those below it have used so far."""
        root = psutil.Process(self.process.pid)
        times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
        return sum(t.user + t.system for t in times)

    def wait_until_ready(self, path: str) -> None:
        """Returns once `path` is answered by anything but a server error.

        Raises BenchmarkError with the end of the log when the process ends or stays silent for 20 s.
        """
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if self._answers(path):
                return
            time.sleep(0.05)
        raise BenchmarkError(f"{self.variant.title} did not start on port {self.port}. {self.last_words()}")

    def last_words(self) -> str:
        """The end of its log, for a message."""
        return "The end of its log:\n" + self.log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def _answers(self, path: str) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2)
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Ends the process and all that it has started."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        # The group is the server's own (start_new_session): this ends one that would not, and workers left behind.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def serve(
    variants: Sequence[Variant], environment: Mapping[str, str], folder: Path, core: int | None
) -> Iterator[list[Server]]:
    """Runs the variants side by side in `folder`, on `core` (None: not pinned), until the block ends."""
    with ExitStack() as stack:
        servers = []
        for variant in variants:
            server = _start(variant, environment, folder, core)
            stack.callback(server.stop)
            servers.append(server)
        yield servers


def _start(variant: Variant, environment: Mapping[str, str], folder: Path, core: int | None) -> Server:
    def pin() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})

    port, log = _free_port(), folder / f"{variant.key}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # preexec_fn is safe here: the harness has no threads
            variant.command(port),
            cwd=folder,
            env={**environment, **variant.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=pin,
            start_new_session=True,
        )
    return Server(variant, port, process, log)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port

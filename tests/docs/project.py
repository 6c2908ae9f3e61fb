"""A project directory in which a document's examples run: files, a shell whose variables last, one server."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

PATIENCE_SECONDS = 40
_SERVES = re.compile(r"\b(?:make|xumi) run\s*\Z")


class Project:
    """An empty directory that a reader fills.

    Args:
        directory: the directory; it must be empty.
        has_curl: use this machine's curl instead of a stand-in.
    """

    def __init__(self, directory: Path, *, has_curl: bool = True) -> None:
        self.directory = directory
        self.port = _free_port()
        self._variables = directory / ".variables"
        self._log = directory / ".server.log"
        self._server: subprocess.Popen[bytes] | None = None
        self._environ = {
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PORT": str(self.port),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }
        self._variables.touch()
        if not has_curl:
            source = Path(__file__).with_name("curl.py").read_text(encoding="utf-8")
            self.write(".bin/curl", f"#!{sys.executable}\n{source}")
            (directory / ".bin/curl").chmod(0o700)
            self._environ["PATH"] = f"{directory / '.bin'}{os.pathsep}{self._environ['PATH']}"

    def write(self, name: str, text: str) -> None:
        """Put a file into the project."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def localise(self, text: str) -> str:
        """The text with this server's address instead of the default one."""
        return text.replace("127.0.0.1:5000", f"127.0.0.1:{self.port}")

    def run(self, script: str) -> str:
        """Run a shell block, its last line as the server where it says `xumi run`; returns what it printed."""
        script = self.localise(script)
        if _SERVES.search(script):
            # The signal that stops the server must not stop a shell that waits for it.
            self._serve(_SERVES.sub("exec xumi run", script))
            return self._log.read_text(encoding="utf-8")
        # Variables that one block sets are there in the next one, as in the reader's terminal.
        steps = f"set -ea\n. {self._variables}\n{script}\nexport -p > {self._variables}\n"
        done = subprocess.run(
            ["sh", "-c", steps],
            cwd=self.directory,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, (
            f"{script}\nended with {done.returncode}:\n{done.stdout}{done.stderr}\n{self._said()}"
        )
        return done.stdout

    def _serve(self, script: str) -> None:
        self.close()
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                ["sh", "-c", f"set -ea\n. {self._variables}\n{script}"],
                cwd=self.directory,
                env=self._environ,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end = time.monotonic() + PATIENCE_SECONDS
        while not self._is_ready():
            assert self._server.poll() is None, f"{script}\nended:\n{self._said()}"
            assert time.monotonic() < end, f"{script}\nis not ready:\n{self._said()}"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readiness", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8")[-4000:] if self._log.exists() else ""

    def close(self) -> None:
        """Stop the server as Ctrl-C does, and check that it ends well."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.send_signal(signal.SIGINT)
        try:
            code = server.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            raise
        assert code == 0, f"the server ended with {code}:\n{self._said()}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def last_json(printed: str) -> Any:
    """The last JSON value that a block printed; curl ends none with a new line."""
    decoder, position, value = json.JSONDecoder(), 0, None
    while (start := _next_value(printed, position)) is not None:
        value, position = decoder.raw_decode(printed, start)
    assert value is not None, f"no JSON in {printed!r}"
    return value


def _next_value(text: str, position: int) -> int | None:
    found = re.compile(r"[\[{]").search(text, position)
    return found.start() if found else None


def assert_same_shape(shown: Any, got: Any, place: str = "$") -> None:
    """The document shows what the server answers: the same keys and kinds of values; codes and states are the same.

    Of a list the first item is compared; a text that is cut with `…` must begin alike.
    """
    if isinstance(shown, dict) and isinstance(got, dict):
        assert shown.keys() == got.keys(), f"{place}: shown {sorted(shown)}, got {sorted(got)}"
        for key in shown:
            assert_same_shape(shown[key], got[key], f"{place}.{key}")
    elif isinstance(shown, list) and isinstance(got, list):
        assert bool(shown) == bool(got), f"{place}: shown {shown}, got {got}"
        if shown:
            assert_same_shape(shown[0], got[0], f"{place}[0]")
    else:
        assert _kind(shown) == _kind(got), f"{place}: shown {shown!r}, got {got!r}"
        if place.endswith((".code", ".status", ".field", ".message")):
            assert shown == got, f"{place}: shown {shown!r}, got {got!r}"


def _kind(value: Any) -> str:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


def assert_same_text(shown: str, got: str) -> None:
    """Every line that the document shows was printed; `…` stands for anything within a line."""
    # A file for Excel begins with a byte order mark, which nobody sees.
    printed = [" ".join(line.split()) for line in got.removeprefix("\ufeff").splitlines()]
    for line in filter(None, (" ".join(line.split()) for line in shown.splitlines())):
        pattern = ".*".join(map(re.escape, line.split("…")))
        assert any(re.fullmatch(pattern, other) for other in printed), f"{line!r} is not in:\n{got}"

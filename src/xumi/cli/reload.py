"""Runs `xumi run` again and again, each time a file changes; for development."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import xumi

_INTERVAL_SECONDS = 0.5
_CONFIGURATION = (".env", "dev.env", "config.yaml")
_SKIPPED = {"__pycache__", "node_modules", "data", "venv", "tests"}


def run_again_at_changes(arguments: Sequence[str]) -> int:
    """Run `xumi` with these arguments until it is stopped; returns the exit code.

    A server that ended by itself, for example for a syntax error, is started again at the next change.
    """
    command = [sys.executable, "-m", "xumi.cli", *arguments]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    child = subprocess.Popen(command)
    seen = _snapshot()
    try:
        while True:
            time.sleep(_INTERVAL_SECONDS)
            now = _snapshot()
            if now == seen:
                continue
            changed = sorted(
                str(path) for path in now.keys() | seen.keys() if now.get(path) != seen.get(path)
            )
            print(f"Changed: {', '.join(changed[:3])}. Starting again.", flush=True)
            seen = now
            _stop(child)
            child = subprocess.Popen(command)
    except KeyboardInterrupt:
        return _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> int:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    return child.wait()


def _snapshot() -> dict[Path, int]:
    """Time of the last change, in nanoseconds, of every file that a server is made of."""
    times = {}
    for path in _watched():
        try:
            times[path] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue  # deleted, or replaced this very moment by an editor
    return times


def _watched() -> Iterator[Path]:
    here = Path.cwd()
    yield from (here / name for name in _CONFIGURATION)
    for root in {here, Path(xumi.__file__).parent}:
        for folder, subfolders, files in os.walk(root):
            subfolders[:] = [name for name in subfolders if name not in _SKIPPED and not name.startswith(".")]
            yield from (Path(folder, name) for name in files if name.endswith(".py"))

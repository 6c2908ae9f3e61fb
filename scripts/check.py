"""What `make check` runs: every check to its end, two at a time, then one line for each and the output of those that failed."""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

BIN = Path(sys.executable).parent
PYTHON = sys.executable


class Check(NamedTuple):
    """Commands that must succeed one after the other.

    Attributes:
        apart: they run in an empty directory, so that a developer's settings and data have no say.
    """

    commands: list[list[str]]
    apart: bool = False


def xumi(*arguments: str) -> list[str]:
    return [PYTHON, "-m", "xumi.cli", *arguments]


# The slowest first: the rest runs beside it.
CHECKS = {
    "types": Check([[f"{BIN}/mypy"]]),
    "layers": Check([[f"{BIN}/lint-imports", "--cache-dir", ".import_linter_cache"]]),
    "format": Check([[f"{BIN}/ruff", "format", "--check", "--output-format", "concise", "."]]),
    "lint": Check([[f"{BIN}/ruff", "check", "--output-format", "concise", "."]]),
    "rules": Check([[PYTHON, "scripts/lints.py"]]),
    "generated docs": Check([[PYTHON, "scripts/generate_docs.py", "--check"]]),
    "every route declares access": Check([xumi("routes")], apart=True),
    "migrations make what the models say": Check([xumi("db", "upgrade"), xumi("db", "drift")], apart=True),
}


class Result(NamedTuple):
    """How a check ended."""

    name: str
    passed: bool
    seconds: float
    output: str


def run(name: str) -> Result:
    """Run a check up to its first command that fails."""
    start = time.monotonic()
    output = ""
    with tempfile.TemporaryDirectory() as empty:
        environ = os.environ | {"NO_COLOR": "1", "COLUMNS": "200"}
        if CHECKS[name].apart:
            environ |= {"APP_ENV": "test", "DATABASE_URL": f"sqlite:///{empty}/check.db"}
        for command in CHECKS[name].commands:
            directory = empty if CHECKS[name].apart else None
            done = subprocess.run(
                command, cwd=directory, env=environ, capture_output=True, text=True, check=False
            )
            output += done.stdout + done.stderr
            if done.returncode != 0:
                return Result(name, False, time.monotonic() - start, output)
    return Result(name, True, time.monotonic() - start, output)


def main() -> int:
    """Run the checks that the arguments name, or all."""
    names = sys.argv[1:] or list(CHECKS)
    if unknown := set(names) - set(CHECKS):
        print(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
        return 2
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(run, names))
    for result in results:
        if not result.passed:
            print(f"--- {result.name}\n{result.output.rstrip()}\n")
    for result in results:
        print(f"{'ok    ' if result.passed else 'FAILED'}  {result.name} ({result.seconds:.1f} s)")
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())

"""`make run` as a stranger types it: in a fresh copy, at a path with a space, with nothing but Python and make."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from xumi.kernel.testing.server import STOP_SECONDS, clean_environment, run_server

CHECKOUT = Path(__file__).resolve().parents[2]
MAKE_RUN = ("make", "run", "ARGS=--port 0")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """The files that are or will be committed, and no others."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split(
        "\0"
    )
    copy = tmp_path / "my checkout"
    for name in filter(None, names):
        if (CHECKOUT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, copy / name)
    return copy


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_make_run_serves_and_stops_and_needs_no_network_the_second_time(fresh: Path) -> None:
    # The same installation settings as of whoever runs the tests, and none of their Xumi settings.
    installation = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))}
    subprocess.run(["scripts/setup.sh", "run"], cwd=fresh, env=clean_environment(**installation), check=True)
    for start in ("first", "second"):
        with run_server(fresh, environment={"PIP_NO_INDEX": "1"}, command=MAKE_RUN) as server:
            assert httpx.get(f"{server.url}/health").status_code == 200
            assert ("Installing" in server.output(), "password" in server.output()) == (
                False,
                start == "first",
            )
            # What Ctrl-C does: everything that runs in the foreground gets the signal.
            os.killpg(server.process.pid, signal.SIGINT)
            server.process.wait(STOP_SECONDS)
            assert "***" not in server.output()
            assert "Traceback" not in server.output()
    assert (fresh / "data/xumi.db").is_file()

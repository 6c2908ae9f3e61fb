"""`xumi run --reload`, and what `xumi run` takes from its options. How a server starts and stops is tested in tests/e2e."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Xumi
from xumi.kernel.testing.server import clean_environment, run_server

PATIENCE_SECONDS = 40


def wait_for(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)


@pytest.mark.timeout(150)
def test_reload_starts_again_when_a_file_changes(project: Path) -> None:
    api, log = project / "modules" / "greeter" / "api.py", project / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "xumi.cli", "run", "--reload", "--port", "0"],
            cwd=project,
            env=clean_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def urls() -> list[str]:
        return re.findall(r"http://127\.0\.0\.1:\d+(?=[ \n])", log.read_text())

    def greeting() -> str:
        return str(httpx.get(f"{urls()[-1]}/api/v1/greeter/greetings").json()["data"])

    try:
        wait_for(urls, "the first start")
        assert greeting() == "hello"
        text = api.read_text()
        api.write_text("this is no Python\n")
        wait_for(lambda: "api.py" in log.read_text() and "invalid syntax" in log.read_text(), "the refusal")
        api.write_text(text.replace("'hello'", "'good morning'"))
        wait_for(lambda: len(urls()) > 1, "the second start")
        assert greeting() == "good morning"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_production_does_not_touch_the_schema_and_options_win(xumi: Xumi, tmp_path: Path) -> None:
    settings = {
        "APP_ENV": "production",
        "SECRET_KEY": "q3Zt8vYw1LxR6nBk0JsHd5Fg7MpCu2Ea9XeTiO4bVhWlNy",
        "JWT_SECRET_KEY": "mA7cP2zK9dQ4xW1vT6yR3uE8sL5gJ0hFbNnMkIjUoYtXr",
        "DATABASE_ALLOW_SQLITE_IN_PRODUCTION": "true",
        "PORT": "1",
    }
    with run_server(tmp_path, environment=settings) as server:
        assert "administrator" not in server.output()
        assert httpx.get(f"{server.url}/readiness").status_code == 503
        assert xumi("init-db", **settings).code == 0
        assert httpx.get(f"{server.url}/readiness").status_code == 200


def test_a_wrong_option_is_told(xumi: Xumi) -> None:
    result = xumi("run", "--port", "70000")
    assert result.code == 2
    assert "port in override" in result.err
    assert "Traceback" not in result.err

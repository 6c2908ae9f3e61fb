"""Where lines come from and go to: `logging`, processes, pipes."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from xumi.kernel import log

SECRET = "hunter2-hunter2-hunter2"


@pytest.mark.usefixtures("clean_logging")
def test_libraries_come_out_of_the_same_writer(capfd: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().handlers[:] = [logging.StreamHandler()]
    log.configure("INFO", "json")
    log.configure("INFO", "json")
    library = logging.getLogger("some.library")
    library.debug("not shown")
    library.warning("slow %s\nforged", "query", extra={"seconds": 3, "password": SECRET})
    try:
        raise ValueError("v")
    except ValueError:
        library.exception("failed")
    library.info("bad %d", "arguments")
    out, err = capfd.readouterr()
    first, second, third = (json.loads(line) for line in out.splitlines())
    assert (first["level"], first["logger"], first["message"]) == (
        "warning",
        "some.library",
        "slow query\nforged",
    )
    assert (first["seconds"], first["password"]) == (3, "***")
    assert "ValueError: v" in second["exception"]
    assert third["message"] == "bad %d ('arguments',)"
    assert err == ""


@pytest.mark.usefixtures("clean_logging")
def test_uvicorns_own_handlers_go_and_a_tests_handler_stays(caplog: pytest.LogCaptureFixture) -> None:
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.addHandler(logging.StreamHandler())
    log.configure("WARNING", "text")
    assert uvicorn.handlers == []
    uvicorn.error("x")
    assert caplog.messages == ["x"]
    # Where it is asked, uvicorn makes its access line, which nobody reads, and `kernel.http.wire` stands aside.
    assert not logging.getLogger("uvicorn.access").hasHandlers()


# The writer


def write_in_child(code: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, **options)


def test_lines_of_several_processes_do_not_mix() -> None:
    read, write = os.pipe()
    code = "from xumi.kernel.log import logger\nfor i in range(300): logger.info('x' * 500, i=i)"
    children = [write_in_child(code, stdout=write) for _ in range(3)]
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        lines = pipe.read().splitlines()
    assert [child.wait(timeout=50) for child in children] == [0, 0, 0]
    for child in children:
        cast(Any, child.stderr).close()
    assert len(lines) == 900
    assert all(json.loads(line)["message"] == "x" * 500 for line in lines)


def test_a_reader_that_has_gone_breaks_nothing() -> None:
    read, write = os.pipe()
    os.close(read)
    child = write_in_child(
        "from xumi.kernel.log import logger; logger.info('x'); raise SystemExit(7)", stdout=write
    )
    os.close(write)
    _, errors = child.communicate(timeout=50)
    assert (child.returncode, errors) == (7, b"")


def test_a_slow_reader_of_a_pipe_that_does_not_block_gets_every_line() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    received: list[bytes] = []

    def drain(block: Callable[[int, int], bytes] = os.read) -> None:
        while part := block(read, 4096):
            received.append(part)

    child = write_in_child(
        "from xumi.kernel.log import logger\nfor i in range(400): logger.info('x' * 1000)", stdout=write
    )
    os.close(write)
    thread = threading.Thread(target=drain)
    thread.start()
    _, errors = child.communicate(timeout=50)
    thread.join(timeout=50)
    os.close(read)
    assert (child.returncode, errors) == (0, b"")
    lines = b"".join(received).splitlines()
    assert len(lines) == 400
    assert all(json.loads(line)["message"] == "x" * 1000 for line in lines)

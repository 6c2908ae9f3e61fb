"""A worker process of the tests: `python -m tests.kernel.jobs.process URL [LEASE_SECONDS]`; it says `works` and ends by SIGTERM."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import make_settings
from xumi.kernel import log
from xumi.kernel.resources import Resources
from xumi.kernel.testing.server import clean_environment

ROOT = Path(__file__).resolve().parents[3]


async def _work(url: str, lease_seconds: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    resources = Resources(make_settings(url, worker_enabled=True, job_lease_seconds=lease_seconds))
    await resources.start()
    print("works", flush=True)
    await stop.wait()
    await resources.close()


def start(url: str, *arguments: object, module: str = __name__, **environment: str) -> subprocess.Popen[str]:
    """Start one; returns when it works."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, url, *map(str, arguments)],
        cwd=ROOT,
        env=clean_environment(**environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "works\n"
    return process


@contextmanager
def worker(url: str, *arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A worker that is killed at the end of the block, if it lives until then."""
    process = start(url, *arguments, **environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


if __name__ == "__main__":
    # Which jobs there are.
    import tests.kernel.jobs.sample

    assert tests.kernel.jobs.sample
    log.configure("CRITICAL", "json")
    asyncio.run(_work(sys.argv[1], float(sys.argv[2])))

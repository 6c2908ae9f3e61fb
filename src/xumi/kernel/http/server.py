"""Runs the application: one process, or several on one socket; stops without losing a request."""

import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from xumi.kernel.collector import make_permanent
from xumi.kernel.config import Settings
from xumi.kernel.errors import StartError
from xumi.kernel.http.draining import STOP_SIGNALS
from xumi.kernel.ratelimit import RUNTIME_DIRECTORY

# Longer than the 60 s after which balancers usually close an idle connection, so that we never close one under them.
_KEEP_ALIVE_SECONDS = 65


def serve(factory: str, settings: Settings, app: ASGIApp | None = None) -> None:
    """Serve until SIGINT or SIGTERM; then finish what is running and return.

    Args:
        factory: import path of the application's factory, which every worker calls.
        settings: host, port and number of workers.
        app: the application, where it exists already and one process is enough.

    Raises:
        StartError: the address cannot be listened on.
    """
    listener = _listen(settings.host, settings.port)
    single = settings.workers == 1
    config = uvicorn.Config(
        app if single and app is not None else partial(make_permanent, factory),
        factory=not (single and app is not None),
        workers=settings.workers,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.drain_seconds),
    )
    _announce(listener, settings)
    with listener, _quiet_stop_signals():
        if single:
            uvicorn.Server(config).run(sockets=[listener])
        else:
            with _meeting_place():
                Multiprocess(config, sockets=[listener]).run()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise StartError(
            f"Cannot listen on {host}:{port} ({error.strerror}): stop what uses it, or choose another with --port or PORT."
        ) from error


def _announce(listener: socket.socket, settings: Settings) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    docs = f"  API docs: {url}/docs" if settings.docs_enabled else ""
    sys.stdout.write(f"Xumi serves {url}{docs}  (Ctrl-C stops)\n")
    sys.stdout.flush()


@contextmanager
def _quiet_stop_signals() -> Iterator[None]:
    """A stop by signal is a success: uvicorn raises the signal again after its shutdown, and here nothing comes of it."""
    previous = {number: signal.signal(number, lambda *_: None) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _meeting_place() -> Iterator[None]:
    """A folder in which workers share rate limits and metrics, gone when they are."""
    directory = tempfile.mkdtemp(prefix="xumi-")
    os.environ[RUNTIME_DIRECTORY] = os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    try:
        yield
    finally:
        del os.environ[RUNTIME_DIRECTORY], os.environ["PROMETHEUS_MULTIPROC_DIR"]
        shutil.rmtree(directory, ignore_errors=True)

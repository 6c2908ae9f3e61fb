"""How a server stops without losing a request."""

from __future__ import annotations

import asyncio
import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def stop_gently(resources: Resources) -> None:
    """Make this process announce its stop before it stops; called once the server has set its own signal handlers.

    At the first signal `/readiness` turns 503 and every response closes its connection, while requests are still taken
    for `STOP_DELAY_SECONDS`. Then the server stops listening and finishes what is running. A second signal skips the wait.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        server_handler = signal.getsignal(number)
        if callable(server_handler) and server_handler is not signal.default_int_handler:
            signal.signal(number, _announcing(resources, loop, server_handler))


def _announcing(resources: Resources, loop: asyncio.AbstractEventLoop, server_handler: Any) -> Any:
    def handle(number: int, frame: FrameType | None) -> None:
        if resources.draining:
            server_handler(number, frame)
            return
        resources.draining = True
        delay = resources.settings.stop_delay_seconds
        loop.call_soon_threadsafe(loop.call_later, delay, server_handler, number, frame)

    return handle

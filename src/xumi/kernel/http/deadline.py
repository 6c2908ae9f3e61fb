"""The longest time until a response begins."""

import asyncio
from time import perf_counter

TICK_SECONDS = 0.05


class Deadline:
    """Cancels the task that makes it after so many seconds, unless it is stopped before; made by `Deadlines.start`."""

    __slots__ = ("_cancelling", "_running", "_task", "expired", "expires_at")

    def __init__(self, expires_at: float, running: "set[Deadline]") -> None:
        task = asyncio.current_task()
        assert task is not None
        self.expires_at = expires_at
        self.expired = False
        self._task, self._cancelling = task, task.cancelling()
        self._running = running
        running.add(self)

    def expire(self) -> None:
        """The time is over."""
        self._running.discard(self)
        self.expired = True
        self._task.cancel()

    def stop(self) -> None:
        """It counts no more."""
        self._running.discard(self)

    def withdraw(self) -> bool:
        """Take the cancellation back; False if somebody else wants the task to end too."""
        return self._task.uncancel() <= self._cancelling


class Deadlines:
    """All deadlines of a process, looked at every 50 ms while there are any.

    A timer for each request, which nearly never goes off, would cost the event loop 11 µs to set up and to take down.
    """

    def __init__(self) -> None:
        self._running: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float, started_at: float) -> Deadline:
        """A deadline for the running task, so many seconds after a moment of `time.perf_counter`; up to 50 ms late."""
        deadline = Deadline(started_at + seconds, self._running)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(TICK_SECONDS, self._look, loop)
        return deadline

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = perf_counter()
        for deadline in [each for each in self._running if each.expires_at <= now]:
            deadline.expire()
        # Without work the process sleeps.
        self._timer = loop.call_later(TICK_SECONDS, self._look, loop) if self._running else None

"""The longest time until a response begins."""

import asyncio


class Deadline:
    """Cancels the task that makes it after so many seconds, unless it is stopped before.

    What `asyncio.timeout` does, without its two coroutines and its second timer on every request.
    """

    __slots__ = ("_cancelling", "_handle", "_task", "expired")

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.expired = False
        self._task, self._cancelling = task, task.cancelling()
        self._handle = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        self.expired = True
        self._task.cancel()

    def stop(self) -> None:
        """It counts no more."""
        self._handle.cancel()

    def withdraw(self) -> bool:
        """Take the cancellation back; False if somebody else wants the task to end too."""
        return self._task.uncancel() <= self._cancelling

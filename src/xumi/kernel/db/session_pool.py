"""The pool of the connections that sessions share, in which nobody is overtaken.

SQLAlchemy's own gives a connection that comes back to whoever asks at that moment, and one who has waited for it goes to the end of the
line again: under load a few requests are quick and the others time out.
"""

import asyncio
from collections import deque
from typing import Any

from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util.concurrency import await_
from sqlalchemy.util.queue import Empty, Full, QueueCommon


class _Line(QueueCommon[Any]):
    """Idle connections, or those who wait for one: never both."""

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        self.maxsize, self.use_lifo = maxsize, use_lifo
        self._idle: deque[Any] = deque()
        self._waiting: deque[asyncio.Future[Any]] = deque()

    def empty(self) -> bool:
        return not self._idle

    def full(self) -> bool:
        return 0 < self.maxsize <= len(self._idle)

    def qsize(self) -> int:
        return len(self._idle)

    def put_nowait(self, item: Any) -> None:
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(item)
                return
        if self.full():
            raise Full
        self._idle.append(item)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        self.put_nowait(item)

    def get_nowait(self) -> Any:
        if not self._idle:
            raise Empty
        return self._idle.popleft()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        return self.get_nowait() if self._idle or not block else await_(self._wait(timeout))

    async def _wait(self, timeout: float | None) -> Any:
        loop = asyncio.get_running_loop()
        place = loop.create_future()
        self._waiting.append(place)
        # Cheaper than `asyncio.timeout`, and under load everybody waits.
        ending = None if timeout is None else loop.call_later(timeout, _give_up, place)
        try:
            found = await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.result() is not _NOTHING:
                # It came in the same moment.
                self.put_nowait(place.result())
            raise
        finally:
            if ending is not None:
                ending.cancel()
        if found is _NOTHING:
            raise Empty
        return found


_NOTHING = object()


def _give_up(place: asyncio.Future[Any]) -> None:
    if not place.done():
        place.set_result(_NOTHING)


class SessionPool(AsyncAdaptedQueuePool):
    """First come, first served."""

    _queue_class = _Line

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
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(timeout):
                return await place
        except (TimeoutError, asyncio.CancelledError) as error:
            if place.done() and not place.cancelled():
                # It came in the same moment.
                self.put_nowait(place.result())
            if isinstance(error, TimeoutError):
                raise Empty from None
            raise


class SessionPool(AsyncAdaptedQueuePool):
    """First come, first served."""

    _queue_class = _Line

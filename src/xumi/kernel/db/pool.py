"""Connections that reads share: each belongs to one read at a time, and whoever finds none waits in line."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from xumi.kernel.db.errors import DatabaseUnavailable

POOL_TIMEOUT_SECONDS = 5.0


class ConnectionPool:
    """Up to `size` driver connections. Nothing is done to one between two reads, which leave no state behind.

    Args:
        connect: opens a connection that is ready for use.
        size: the most connections at one time.
        is_open: whether a connection can still be used.
        drop: ends a connection without a word to the server.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        size: int,
        is_open: Callable[[Any], bool],
        drop: Callable[[Any], None],
    ) -> None:
        self._connect, self._is_open, self._drop = connect, is_open, drop
        self._idle: list[Any] = []
        self._room = size
        self._waiters: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._lent: set[Any] = set()

    async def acquire(self, *, fresh: bool = False) -> Any:
        """A connection, to be given back with `release`; `fresh`: not one that has been idle.

        Raises:
            DatabaseUnavailable: none became free in time, or the server cannot be reached.
        """
        if self._room:
            self._room -= 1
        else:
            await self._wait_for_room()
        try:
            while self._idle:
                connection = self._idle.pop()
                if fresh:
                    self._drop(connection)
                    connection = await self._connect()
                    break
                if self._is_open(connection):
                    break
            else:
                connection = await self._connect()
        except BaseException:
            self._give_room()
            raise
        self._lent.add(connection)
        return connection

    def release(self, connection: Any, *, usable: bool = True) -> None:
        """Give it back; it is kept if it is `usable`."""
        # One that was lent before `close` is not kept.
        if connection in self._lent and usable:
            if self._is_open(connection):
                self._idle.append(connection)
        else:
            self._drop(connection)
        self._lent.discard(connection)
        self._give_room()

    def close(self) -> list[Any]:
        """Keep none of the connections that are lent now, and give the idle ones to the caller, who says good-bye.

        Whoever reads afterwards opens new ones.
        """
        self._lent.clear()
        idle, self._idle = self._idle, []
        return idle

    async def _wait_for_room(self) -> None:
        """Wait in line until somebody hands over his place."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append((loop.time() + POOL_TIMEOUT_SECONDS, waiter))
        # One timer for all who wait: setting one up and taking it down costs as much as a short read.
        if self._timer is None:
            self._timer = loop.call_later(POOL_TIMEOUT_SECONDS / 10, self._refuse_late, loop)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and waiter.exception() is None:
                # The place came in the same moment as the end of whoever waited for it.
                self._give_room()
            raise

    def _refuse_late(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell those who have waited too long; the first in line has waited longest."""
        now = loop.time()
        while self._waiters and (self._waiters[0][0] <= now or self._waiters[0][1].done()):
            _, waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(
                    DatabaseUnavailable("all connections for reads are in use: raise DATABASE_POOL_SIZE")
                )
        self._timer = (
            loop.call_later(POOL_TIMEOUT_SECONDS / 10, self._refuse_late, loop) if self._waiters else None
        )

    def _give_room(self) -> None:
        while self._waiters:
            _, waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._room += 1

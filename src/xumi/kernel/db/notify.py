"""Wakes whoever waits for work in the database, in this process and in others, without asking the database again and again.

A topic names the work: `events`, `jobs`. Within a process a wake is a function call after the commit. Others learn of it from
PostgreSQL by NOTIFY, which is not part of the transaction: it would make all commits wait for each other. They learn of it from
SQLite by its count of commits (`PRAGMA data_version`, some microseconds), from MySQL by asking twice a second. A wake may come for
nothing and may be lost with a connection: waits end by themselves, and workers look again.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from xumi.kernel.db.errors import DatabaseUnavailable
from xumi.kernel.db.location import CONNECT_TIMEOUT_SECONDS
from xumi.kernel.db.runner import Query
from xumi.kernel.log import logger

if TYPE_CHECKING:
    from xumi.kernel.db.engine import Database
    from xumi.kernel.db.session import UnitOfWork

_CHANNEL = "xumi"
# So often at most others are told.
_PAUSE_SECONDS = 0.02
_SQLITE_LOOK_SECONDS = 0.1
_MYSQL_LOOK_SECONDS = 0.5
_RECONNECT_SECONDS = 2.0
_CLOSE_SECONDS = 1.0


class Notifier:
    """Topics that can be waited for, of one process.

    Args:
        database: where the work is.

    Attributes:
        listening: this process learns what others announce, and needs not announce to itself.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._topics: dict[str, asyncio.Event] = {}
        self._watch: asyncio.Task[None] | None = None
        self._announcers: dict[str, Callable[[], Awaitable[None]]] = {}
        self._untold: set[str] = set()
        self._telling: asyncio.Task[None] | None = None

    @property
    def listening(self) -> bool:
        """Whether `start` was called, and `close` was not."""
        return self._watch is not None

    def start(self) -> None:
        """Begin to listen to other processes."""
        watch = {"postgresql": self._watch_postgresql, "sqlite": self._watch_sqlite}
        self._watch = asyncio.create_task(watch.get(self._database.dialect, self._watch_mysql)())

    async def close(self) -> None:
        """Stop to listen, and tell others what they have not been told yet. Safe to call twice."""
        if self._telling is not None:
            await self._telling
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None

    def wake(self, topic: str) -> None:
        """Wake who waits for this topic in this process, or lets his next wait return at once."""
        self._event(topic).set()

    def wake_all(self) -> None:
        """Wake who waits for anything."""
        for event in self._topics.values():
            event.set()

    def announce_after(self, work: "UnitOfWork", topic: str) -> None:
        """Wake who waits for this topic, here and in other processes, when the unit of work is committed; once, however often it is said."""
        # The same function each time: a unit of work calls it once.
        work.after_commit(self._announcers.setdefault(topic, partial(self._announce, topic)))

    async def _announce(self, topic: str) -> None:
        self.wake(topic)
        if self._database.dialect != "postgresql":
            return
        self._untold.add(topic)
        if self._telling is None:
            # The first is told at once, so that a command that ends now has told it; those that follow soon share one.
            self._telling = asyncio.create_task(self._go_on_telling())
            await self._tell()

    async def _go_on_telling(self) -> None:
        try:
            while True:
                await asyncio.sleep(_PAUSE_SECONDS)
                if not self._untold:
                    return
                await self._tell()
        finally:
            self._telling = None

    async def _tell(self) -> None:
        topics, self._untold = sorted(self._untold), set()
        for topic in topics:
            try:
                await self._database.read.runner.fetch(Query("SELECT pg_notify($1, $2)", (_CHANNEL, topic)))
            except Exception as error:
                # The work is in the database, and they look for it by themselves.
                logger.debug("other processes could not be woken", topic=topic, error=error)

    async def wait(self, topic: str, timeout_seconds: float) -> None:
        """Return when the topic was woken since the last `forget`, or after the time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._event(topic).wait()

    def forget(self, topic: str) -> None:
        """Forget wakes of this topic: call it before looking for work, so that what comes meanwhile counts."""
        self._event(topic).clear()

    def _event(self, topic: str) -> asyncio.Event:
        return self._topics.setdefault(topic, asyncio.Event())

    async def _watch_postgresql(self) -> None:
        from xumi.kernel.db.postgresql import Connector

        connect = Connector(self._database.url, CONNECT_TIMEOUT_SECONDS)
        while True:
            with suppress(DatabaseUnavailable, OSError):
                await self._listen(await connect())
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen(self, connection: Any) -> None:
        """Until the connection is lost."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(_CHANNEL, lambda *received: self.wake(received[-1]))
            # What was announced before is not told again.
            self.wake_all()
            await lost.wait()
        finally:
            # A connection that was lost is closed already; this says good-bye to one that is not.
            await connection.close(timeout=_CLOSE_SECONDS)

    async def _watch_sqlite(self) -> None:
        connection = sqlite3.connect(f"file:{self._database.url.database}?mode=ro", uri=True, timeout=0.0)
        try:
            seen = None
            while True:
                with suppress(sqlite3.OperationalError):
                    (version,) = connection.execute("PRAGMA data_version").fetchone()
                    if version != seen:
                        seen = version
                        self.wake_all()
                await asyncio.sleep(_SQLITE_LOOK_SECONDS)
        finally:
            connection.close()

    async def _watch_mysql(self) -> None:
        while True:
            self.wake_all()
            await asyncio.sleep(_MYSQL_LOOK_SECONDS)

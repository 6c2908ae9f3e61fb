"""What a process holds of the database in memory, and the one poll that keeps it up to date.

Each part (ended access, what roles grant, data scopes, API keys) is a `Copy`, whose feature follows it while the process runs:

    class Prices(Copy):
        what, meanwhile = "prices", "those of yesterday count"

        async def read(self) -> None:
            ...

    async with resources.copies.follow(Prices()):
        yield

Twice a second one task lets every copy read what is new, in the order in which they are followed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.context import find_current
from xumi.kernel.db.read import primary
from xumi.kernel.log import logger

POLL_SECONDS = 0.5
TIMEOUT_SECONDS = 10
"""How long one copy may take to read what is new."""
STALE_SECONDS = 30
"""After how long without having read it the log complains."""


class Copy:
    """One part. While the database cannot be read nothing new can be committed in it either, so what is known goes on to count.

    Attributes:
        what: its name in the log, in the plural or as a mass.
        meanwhile: what it means that it cannot be read.
    """

    what: ClassVar[str]
    meanwhile: ClassVar[str]

    def __init__(self) -> None:
        # Two who read at once could end in the wrong order.
        self._turn = asyncio.Lock()
        self._reader: asyncio.Task[Any] | None = None
        self._read_at = clock.monotonic()
        self._complained = False

    async def read(self) -> None:
        """Read what has changed since the last time, and everything the first time. It may raise anything."""
        raise NotImplementedError

    async def tend(self) -> None:
        """What is to be done beside, now and then: writing, deleting what nobody needs. It may raise anything."""

    def outlast(self, silent_seconds: float) -> None:
        """The database has not answered for so long."""

    async def load(self) -> None:
        """Bring it up to date.

        Raises:
            Exception: whatever keeps it from being read, a `TimeoutError` too.
        """
        if self._reader is asyncio.current_task():
            # What reads has written to the database itself, and is told of its own commit.
            return
        # A replica may lag: what is known would be as old as it is.
        with primary():
            async with self._turn, asyncio.timeout(TIMEOUT_SECONDS):
                self._reader = asyncio.current_task()
                try:
                    await self.read()
                finally:
                    self._reader = None
        self._read_at = clock.monotonic()
        if self._complained:
            self._complained = False
            logger.info(f"{self.what} can be read again")

    async def look(self) -> None:
        """Bring it up to date if the database answers; if it does not for long, the log tells, once."""
        try:
            await self.load()
        except Exception as error:
            silent_seconds = clock.monotonic() - self._read_at
            if silent_seconds > STALE_SECONDS and not self._complained:
                self._complained = True
                message = f"{self.what} cannot be read; {self.meanwhile}"
                logger.error(message, stale_seconds=round(silent_seconds), error=error)
            self.outlast(silent_seconds)


def look_after(session: AsyncSession) -> None:
    """Bring this process's copies up to date once a session has been committed; other processes learn of it by their poll."""
    context = find_current()
    work = context.unit_of_work if context is not None else None
    # Another session's commit is not the running unit of work's.
    if context is not None and work is not None and work.session is session:
        work.after_commit(context.resources.copies.look)


class Copies:
    """The copies of one process.

    Args:
        hurry: whoever sets it need not wait for the next poll.
    """

    def __init__(self, hurry: asyncio.Event) -> None:
        self._hurry = hurry
        self._copies: list[Copy] = []

    def __len__(self) -> int:
        """How many are followed."""
        return len(self._copies)

    @asynccontextmanager
    async def follow(self, copy: Copy) -> AsyncIterator[None]:
        """Keep a copy up to date while the block runs."""
        self._copies.append(copy)
        try:
            yield
        finally:
            self._copies.remove(copy)

    async def look(self) -> None:
        """Bring all of them up to date, as far as the database answers."""
        for copy in tuple(self._copies):
            await copy.look()

    async def run(self) -> None:
        """Do so for ever, and tend them."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._hurry.wait()
            self._hurry.clear()
            await self.look()
            for copy in tuple(self._copies):
                try:
                    await copy.tend()
                except Exception as error:
                    logger.warning(f"{copy.what} could not be tended; the next try follows", error=error)

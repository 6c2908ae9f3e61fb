"""The work behind requests: each chore looks for something to do in the database, does it, and waits to be woken.

Chores run inside `xumi run` (`WORKER_ENABLED`) and as `xumi worker`, in as many processes as wanted; what keeps two of them from
doing the same is each chore's own affair, with the database as the judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from xumi.kernel.log import logger

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources

# A wake may be lost with a connection: everybody looks again after this time.
LONGEST_WAIT_SECONDS = 15.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0


class Chore(Protocol):
    """A kind of work. `topic` is what `resources.notifier` wakes it by."""

    topic: str

    async def step(self) -> float | None:
        """Look, and do a bounded piece of what there is; it is run in a context of its own.

        Returns:
            After how many seconds there is something to do without being woken: 0 for more now, None for unknown.
        """
        ...

    async def stop(self) -> None:
        """Finish or hand back what is under way, within DRAIN_SECONDS; no step follows."""
        ...


class Worker:
    """Keeps the chores of one process going.

    Args:
        resources: what the process holds.
        chores: what there is to do.
    """

    def __init__(self, resources: Resources, chores: Sequence[Chore]) -> None:
        self._resources = resources
        self._chores = chores
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Begin; returns at once."""
        self._resources.notifier.start()
        self._tasks = [
            asyncio.create_task(self._keep_going(chore), name=f"chore {chore.topic}")
            for chore in self._chores
        ]

    async def stop(self) -> None:
        """Let each chore end the step that it is in, and what it has begun; what takes longer than DRAIN_SECONDS is cancelled."""
        self._stopping.set()
        for chore in self._chores:
            self._resources.notifier.wake(chore.topic)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._resources.settings.drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for chore in self._chores:
            with self._resources.context(f"stop {chore.topic}"):
                await chore.stop()
        await self._resources.notifier.close()

    async def _keep_going(self, chore: Chore) -> None:
        notifier, failures = self._resources.notifier, 0
        while not self._stopping.is_set():
            notifier.forget(chore.topic)
            try:
                with self._resources.context(f"chore {chore.topic}"):
                    wait = await chore.step()
                failures = 0
            except Exception as error:
                failures += 1
                self._complain(chore, error, failures)
                wait = min(_FIRST_PAUSE_SECONDS * 2**failures, _LONGEST_PAUSE_SECONDS)
                await self._pause(wait)
                continue
            if wait is None or wait > 0:
                wait = LONGEST_WAIT_SECONDS if wait is None else min(wait, LONGEST_WAIT_SECONDS)
                await self._wait(chore, wait)

    async def _wait(self, chore: Chore, seconds: float) -> None:
        if not self._stopping.is_set():
            await self._resources.notifier.wait(chore.topic, seconds)

    async def _pause(self, seconds: float) -> None:
        """Whatever wakes: what has failed just now would fail again at once."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _complain(self, chore: Chore, error: Exception, failures: int) -> None:
        tell = logger.warning if failures == 1 else logger.debug
        tell("work could not be looked for; the next try follows", chore=chore.topic, error=error)
        if failures == 5:
            logger.exception("work cannot be looked for again and again", chore=chore.topic, error=error)

"""Locks that hold over all processes, in the database.

    async with lock("nightly-report", ttl_seconds=30) as held:
        …
        await held.check(session)       # inside the transaction whose effect must not come from a holder of the past

The lock is renewed while the block runs; a process that dies keeps others out for `ttl_seconds` at most. One that was halted for
longer may still believe that it holds it: `held.token` grows with every holder, and `check` refuses the one of the past. Times
are of the database's clock. A lock's row stays for ever, so that its token never goes back: names are of a bounded number.
Table: `kernel_lock`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from sqlalchemy import CursorResult, String, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.context import current
from xumi.kernel.db.model import ModelBase
from xumi.kernel.db.moment import database_seconds
from xumi.kernel.db.session import HasDatabase, separate_transaction
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.ids import derive_key
from xumi.kernel.log import logger

MAX_NAME_LENGTH = 200
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.5
RENEWALS_PER_TTL = 3


class Lock(ModelBase):
    """One lock; `id` is derived from the name. `expires` is in seconds since 1970, 0 when nobody holds it."""

    __tablename__ = "kernel_lock"

    name: Mapped[str] = mapped_column(String(MAX_NAME_LENGTH))
    token: Mapped[int]
    expires: Mapped[float]


class LockNotAvailable(APIException):
    """Somebody else holds the lock."""

    def __init__(self, name: str) -> None:
        super().__init__(APICode.LOCKED, headers={"Retry-After": "1"})
        self.name = name

    def __str__(self) -> str:
        return f"{super().__str__()} (lock {self.name!r})"


class Held:
    """A lock that was acquired.

    Attributes:
        name: the lock.
        token: grows with each acquisition; give it to systems that can compare.
    """

    __slots__ = ("_key", "name", "token")

    def __init__(self, name: str, key: str, token: int) -> None:
        self.name, self._key, self.token = name, key, token

    async def check(self, session: AsyncSession) -> None:
        """See to it that nobody acquires the lock before this transaction ends.

        Raises:
            LockNotAvailable: somebody has acquired it since.
        """
        statement = select(Lock.token).where(Lock.id == self._key).with_for_update()
        if await session.scalar(statement) != self.token:
            raise LockNotAvailable(self.name)


@asynccontextmanager
async def lock(
    name: str,
    *,
    ttl_seconds: float = 30.0,
    timeout_seconds: float = 10.0,
    resources: HasDatabase | None = None,
) -> AsyncIterator[Held]:
    """Hold a lock while the block runs.

    Args:
        name: at most 200 characters.
        ttl_seconds: how long others wait for a holder that died.
        timeout_seconds: how long to wait for the holder; 0 does not wait.
        resources: where nothing runs, what holds the database.

    Raises:
        LockNotAvailable: it did not become free in time.
        RuntimeError: a transaction is open: take locks before.
    """
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise ValueError(f"a lock's name has 1 to {MAX_NAME_LENGTH} characters, not {len(name)}.")
    home = resources or current().resources
    key = derive_key(name.encode())
    held = Held(name, key, await _wait_for(home, name, key, ttl_seconds, timeout_seconds))
    renewal = asyncio.create_task(_renew(home, held, key, ttl_seconds), name=f"renew lock {name}")
    try:
        yield held
    finally:
        renewal.cancel()
        release = asyncio.create_task(_release(home, renewal, held, key))
        _releasing.add(release)
        release.add_done_callback(_releasing.discard)
        await asyncio.shield(release)


# Releases that go on after the task that wanted them was cancelled; kept here so that they are not collected.
_releasing: set[asyncio.Task[None]] = set()


async def _wait_for(
    home: HasDatabase, name: str, key: str, ttl_seconds: float, timeout_seconds: float
) -> int:
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + timeout_seconds, FIRST_PAUSE_SECONDS
    while (token := await _try(home, name, key, ttl_seconds)) is None:
        left = deadline - loop.time()
        if left <= 0:
            raise LockNotAvailable(name)
        await asyncio.sleep(min(left, pause * random.uniform(0.5, 1.0)))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    return token


async def _try(home: HasDatabase, name: str, key: str, ttl_seconds: float) -> int | None:
    """The token, if the lock is free now."""
    try:
        async with separate_transaction(home) as session:
            now = database_seconds(session)
            row = (
                await session.execute(select(Lock.token, Lock.expires > now).where(Lock.id == key))
            ).first()
            if row is None:
                values = {"id": key, "name": name, "token": 1, "expires": now + ttl_seconds}
                await session.execute(insert(Lock).values(values))
                return 1
            token, taken = row
            if taken:
                return None
            # Whoever else saw it free loses: the token is not the one that he saw any more.
            free = (Lock.id == key, Lock.token == token, Lock.expires <= now)
            change = update(Lock).where(*free).values(token=token + 1, expires=now + ttl_seconds)
            return token + 1 if await _changes(session, change) else None
    except IntegrityError:
        # Another one was the first to take it.
        return None


async def _renew(home: HasDatabase, held: Held, key: str, ttl_seconds: float) -> None:
    """Put the end off again and again; a failure is tried again until the lock is gone."""
    while True:
        await asyncio.sleep(ttl_seconds / RENEWALS_PER_TTL)
        try:
            async with separate_transaction(home, beside=True) as session:
                mine = (Lock.id == key, Lock.token == held.token)
                expires = database_seconds(session) + ttl_seconds
                if not await _changes(session, update(Lock).where(*mine).values(expires=expires)):
                    logger.warning(
                        "a lock was lost before its holder was done", lock=held.name, token=held.token
                    )
                    return
        except Exception as error:
            logger.warning("a lock could not be renewed", lock=held.name, error=error)


async def _release(home: HasDatabase, renewal: asyncio.Task[None], held: Held, key: str) -> None:
    with suppress(asyncio.CancelledError):
        await renewal
    try:
        async with separate_transaction(home, beside=True) as session:
            mine = (Lock.id == key, Lock.token == held.token)
            await _changes(session, update(Lock).where(*mine).values(expires=0.0))
    except Exception as error:
        # What the block did stands; the lock frees itself when its time is over.
        logger.warning("a lock could not be released", lock=held.name, error=error)


async def _changes(session: AsyncSession, change: Any) -> bool:
    done = await session.execute(change, execution_options={"synchronize_session": False})
    return cast(CursorResult[Any], done).rowcount == 1

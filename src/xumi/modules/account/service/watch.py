"""Keeps a worker's snapshot of ended access up to date, and clears away what nobody needs any more.

Every half second each worker reads the changes of the last minute, and lets the other parts of the snapshot look for theirs. It
reads far more than the last half second, because a transaction that began earlier may commit later and clocks differ; applying a
change twice does nothing. While the database cannot be read nothing new can have ended in it either, so requests are answered on
what is known.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from xumi.kernel import clock
from xumi.kernel.db.read import fetch_all, primary
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.log import logger
from xumi.kernel.schema import SchemaBase
from xumi.modules.account.constants import (
    PRUNE_INTERVAL_SECONDS,
    WATCH_INTERVAL_SECONDS,
    WATCH_OVERLAP_SECONDS,
    WATCH_STALE_SECONDS,
    WATCH_TIMEOUT_SECONDS,
)
from xumi.modules.account.models import AccessChange, Guess, Invitation, OneTimeToken, UserSession
from xumi.modules.account.service import access
from xumi.modules.account.service.guess import present_window

# Who has invited somebody sees for so long that he did not come.
KEEP_INVITATIONS = timedelta(days=30)

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources


class ChangeRow(SchemaBase):
    """A row of the changes."""

    session_id: str | None
    user_id: str | None
    epoch: int | None


class Watcher:
    """Follows the changes for one worker."""

    def __init__(self, resources: "Resources") -> None:
        self._resources = resources
        self._life = timedelta(seconds=resources.settings.access_token_seconds)
        # Until the first look, everything that can concern a living token is news.
        self._seen: datetime = clock.now() - self._life
        self._stale_since = clock.monotonic()
        self._complained = False

    async def look(self) -> None:
        """Read the changes since the last look, and some before. A database that does not answer is no error here."""
        began = clock.now()
        since = self._seen - timedelta(seconds=WATCH_OVERLAP_SECONDS)
        statement = select(AccessChange.session_id, AccessChange.user_id, AccessChange.epoch)
        try:
            # A replica may lag: access would end as late as it is.
            with primary():
                async with asyncio.timeout(WATCH_TIMEOUT_SECONDS):
                    changes = await fetch_all(statement.where(AccessChange.at > since), ChangeRow)
            for change in changes:
                access.apply(self._resources.access, change.session_id, change.user_id, change.epoch)
            await self._resources.access.refresh()
        except Exception as error:
            self._complain(error)
            return
        self._seen, self._stale_since = began, clock.monotonic()
        if self._complained:
            self._complained = False
            logger.info("ended access is known again")

    async def run(self) -> None:
        """Look for ever, and prune now and then."""
        prune_at = clock.monotonic() + PRUNE_INTERVAL_SECONDS
        while True:
            await asyncio.sleep(WATCH_INTERVAL_SECONDS)
            await self.look()
            if clock.monotonic() >= prune_at:
                prune_at = clock.monotonic() + PRUNE_INTERVAL_SECONDS
                await self._prune()

    async def _prune(self) -> None:
        self._resources.access.prune()
        try:
            await prune(self._life)
        except Exception as error:
            logger.warning("old rows of accounts could not be deleted; the next try follows", error=error)

    def _complain(self, error: Exception) -> None:
        stale_seconds = clock.monotonic() - self._stale_since
        if stale_seconds > WATCH_STALE_SECONDS and not self._complained:
            self._complained = True
            logger.error(
                "ended access cannot be read; tokens that were ended elsewhere count until they expire",
                stale_seconds=round(stale_seconds),
                error=error,
            )


async def prune(token_life: timedelta) -> None:
    """Delete changes that concern no living token, what has expired, and guesses that no longer count."""
    now = clock.now()
    async with unit_of_work() as work:
        session = work.session
        old = now - token_life - timedelta(seconds=2 * WATCH_OVERLAP_SECONDS)
        await session.execute(delete(AccessChange).where(AccessChange.at < old))
        await session.execute(delete(UserSession).where(UserSession.expires_at < now))
        await session.execute(delete(OneTimeToken).where(OneTimeToken.expires_at < now))
        await session.execute(delete(Invitation).where(Invitation.expires_at < now - KEEP_INVITATIONS))
        await session.execute(delete(Guess).where(Guess.window < present_window() - 1))


@asynccontextmanager
async def watch(resources: "Resources") -> AsyncIterator[None]:
    """Follow the changes while the process serves; what ended before is known when this begins."""
    watcher = Watcher(resources)
    await watcher.look()
    resources.background(watcher.run, "access watcher")
    yield

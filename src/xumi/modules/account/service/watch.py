"""Keeps a worker's snapshot of ended access up to date, and clears away what nobody needs any more.

Every half second each worker reads the changes of the last minute. That is far more than the last half second, because a
transaction that began earlier may commit later and clocks differ; applying a change twice does nothing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from xumi.kernel import clock
from xumi.kernel.copies import Copy
from xumi.kernel.db.read import fetch_all
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.schema import SchemaBase
from xumi.modules.account.constants import PRUNE_INTERVAL_SECONDS, WATCH_OVERLAP_SECONDS
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


class EndedAccess(Copy):
    """Whose access has ended lately, as one worker knows it."""

    what = "changes of access"
    meanwhile = "tokens that were ended elsewhere count until they expire"

    def __init__(self, resources: "Resources") -> None:
        super().__init__()
        self._resources = resources
        self._life = timedelta(seconds=resources.settings.access_token_seconds)
        # Until the first look, everything that can concern a living token is news.
        self._seen: datetime = clock.now() - self._life
        self._prune_at = clock.monotonic() + PRUNE_INTERVAL_SECONDS

    async def read(self) -> None:
        """Read the changes since the last time, and some before."""
        began = clock.now()
        since = self._seen - timedelta(seconds=WATCH_OVERLAP_SECONDS)
        statement = select(AccessChange.session_id, AccessChange.user_id, AccessChange.epoch)
        for change in await fetch_all(statement.where(AccessChange.at > since), ChangeRow):
            access.apply(self._resources.access, change.session_id, change.user_id, change.epoch)
        self._seen = began

    async def tend(self) -> None:
        """Prune now and then."""
        if clock.monotonic() >= self._prune_at:
            self._prune_at = clock.monotonic() + PRUNE_INTERVAL_SECONDS
            self._resources.access.prune()
            await prune(self._life)


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
    ended = EndedAccess(resources)
    await ended.look()
    async with resources.copies.follow(ended):
        yield

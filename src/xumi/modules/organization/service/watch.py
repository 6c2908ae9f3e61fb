"""Keeps a worker's snapshot of departments, members and rules up to date.

Every half second each worker asks for versions that it has not seen, and reads what they are about. While the database cannot be read
nothing new can have been committed in it either, so requests are answered on what is known; a worker that has never read it knows no
rules, and nobody reaches anything.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from sqlalchemy import bindparam, select

from xumi.kernel import clock
from xumi.kernel.db.read import fetch_all, primary
from xumi.kernel.log import logger
from xumi.kernel.schema import SchemaBase
from xumi.modules.organization.constants import (
    COUNTER,
    RULES,
    TREE,
    WATCH_BATCH,
    WATCH_INTERVAL_SECONDS,
    WATCH_STALE_SECONDS,
    WATCH_TIMEOUT_SECONDS,
)
from xumi.modules.organization.models import Change, Department, Member
from xumi.modules.organization.repository import read_rules

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources


class ChangeRow(SchemaBase):
    """What changed, and the version of that."""

    id: str
    version: int


class ParentRow(SchemaBase):
    """A department and the one above it."""

    id: str
    parent_id: str | None


class MemberRow(SchemaBase):
    """A department of a user."""

    user_id: str
    department_id: str


_CHANGES = select(Change.id, Change.version).where(Change.version > bindparam("seen"))
_PARENTS = select(Department.id, Department.parent_id)
_MEMBERS = select(Member.user_id, Member.department_id)

_watchers: WeakKeyDictionary["Resources", "Watcher"] = WeakKeyDictionary()
find_watcher = _watchers.get
"""The watcher of a process, if it has one."""


class Watcher:
    """Follows the changes for one worker."""

    def __init__(self, resources: "Resources") -> None:
        self._resources = resources
        self._seen = -1
        # Two looks at once could end in the wrong order.
        self._looking = asyncio.Lock()
        self._stale_since = clock.monotonic()
        self._complained = False

    async def look(self) -> None:
        """Read what has changed since the last look. A database that does not answer is no error here."""
        try:
            # A replica may lag.
            with primary():
                async with self._looking, asyncio.timeout(WATCH_TIMEOUT_SECONDS):
                    await self._read()
        except Exception as error:
            self._complain(error)
            return
        self._stale_since = clock.monotonic()
        if self._complained:
            self._complained = False
            logger.info("departments and data scopes are known again")

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(WATCH_INTERVAL_SECONDS)
            await self.look()

    async def _read(self) -> None:
        changes = await fetch_all(_CHANGES, ChangeRow, {"seen": self._seen})
        if not changes:
            return
        first, subjects = self._seen < 0, {change.id for change in changes}
        scopes = self._resources.scopes
        if first or TREE in subjects:
            rows = await fetch_all(_PARENTS, ParentRow)
            scopes.replace_departments({row.id: row.parent_id for row in rows})
        if first or RULES in subjects:
            scopes.replace_rules(await read_rules())
        if first:
            await self._read_members(None)
        else:
            users = sorted(subjects - {COUNTER, TREE, RULES})
            for start in range(0, len(users), WATCH_BATCH):
                await self._read_members(users[start : start + WATCH_BATCH])
        self._seen = max(change.version for change in changes)

    async def _read_members(self, users: Sequence[str] | None) -> None:
        statement = _MEMBERS if users is None else _MEMBERS.where(Member.user_id.in_(users))
        members: dict[str, list[str]] = {user: [] for user in users or ()}
        for row in await fetch_all(statement, MemberRow):
            members.setdefault(row.user_id, []).append(row.department_id)
        self._resources.scopes.set_members(members)

    def _complain(self, error: Exception) -> None:
        stale_seconds = clock.monotonic() - self._stale_since
        if stale_seconds > WATCH_STALE_SECONDS and not self._complained:
            self._complained = True
            logger.error(
                "departments and data scopes cannot be read; changes made elsewhere do not count yet",
                stale_seconds=round(stale_seconds),
                error=error,
            )


@asynccontextmanager
async def watch(resources: "Resources") -> AsyncIterator[None]:
    """Follow the changes while the process serves; what was decided before is known when this begins."""
    watcher = _watchers[resources] = Watcher(resources)
    await watcher.look()
    resources.background(watcher.run, "organization watcher")
    yield

"""Keeps a worker's snapshot of departments, members and rules up to date.

Every half second each worker asks for versions that it has not seen, and reads what they are about. A worker that has never read it
knows no rules, and nobody reaches anything.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from xumi.kernel.copies import Copy
from xumi.kernel.db.read import fetch_all
from xumi.kernel.schema import SchemaBase
from xumi.modules.organization.constants import COUNTER, RULES, TREE, WATCH_BATCH
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


class Organization(Copy):
    """Departments, members and rules, as one worker knows them."""

    what, meanwhile = "departments and data scopes", "changes made elsewhere do not count yet"

    def __init__(self, resources: "Resources") -> None:
        super().__init__()
        self._resources = resources
        self._seen = -1

    async def read(self) -> None:
        """Read what has changed since the last time."""
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


@asynccontextmanager
async def watch(resources: "Resources") -> AsyncIterator[None]:
    """Follow the changes while the process serves; what was decided before is known when this begins."""
    organization = Organization(resources)
    await organization.look()
    async with resources.copies.follow(organization):
        yield

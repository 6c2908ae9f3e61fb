"""Changing the organization: one writer at a time, and workers learn what is new.

Every write begins with `lock`: it raises the counter, whose row stays locked until the transaction ends. So two who move departments
cannot make a cycle together, and versions are committed in their order: who has seen one has missed nothing before it.
"""

from collections.abc import Iterable

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.copies import look_after
from xumi.kernel.db.bulk import upsert
from xumi.modules.organization.constants import COUNTER
from xumi.modules.organization.models import Change


async def lock(session: AsyncSession) -> int:
    """Wait until nobody else writes; returns the version of what follows."""
    await session.execute(
        update(Change).where(Change.id == COUNTER).values(version=Change.version + 1),
        execution_options={"synchronize_session": False},
    )
    version = await session.scalar(select(Change.version).where(Change.id == COUNTER))
    assert version is not None, "the migration has made this row"
    return version


async def announce(session: AsyncSession, version: int, subjects: Iterable[str]) -> None:
    """Let workers know that these have changed: `TREE`, `RULES`, or ids of users. This one knows right after the commit."""
    rows = [{"id": subject, "version": version} for subject in subjects]
    await upsert(session, Change, rows, key=[Change.id])
    look_after(session)

"""Counters that all processes share, in the database.

    views = await counters.add(f"views:{article_id}")
    if not await counters.take(f"sms:{phone}", 1, limit=5, window_seconds=3600): …

With `session=` a change is part of that transaction; without, it is committed at once. Table: `kernel_counter`.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, Index, String, Update, case, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.bulk import upsert
from xumi.kernel.db.model import ModelBase
from xumi.kernel.db.moment import database_seconds
from xumi.kernel.db.session import HasDatabase, separate_transaction
from xumi.kernel.ids import derive_key

T = TypeVar("T")

MAX_NAME_LENGTH = 200
# One in so many calls of `take` deletes windows that have ended.
PRUNE_CHANCE = 0.001


class Counter(ModelBase):
    """One counter; `id` is derived from the name. `ends` is when its window ends, in seconds since 1970, or 0 without one."""

    __tablename__ = "kernel_counter"

    name: Mapped[str] = mapped_column(String(MAX_NAME_LENGTH))
    value: Mapped[int]
    ends: Mapped[float]

    __table_args__ = (Index("ix_kernel_counter_ends", "ends"),)


async def add(
    name: str,
    amount: int = 1,
    *,
    session: AsyncSession | None = None,
    resources: HasDatabase | None = None,
) -> int:
    """Add to a counter, which begins at 0, and return its new value. `amount` may be negative, or 0 to read it.

    Args:
        name: at most 200 characters.
        amount: what to add.
        session: the transaction that it belongs to; without one it is committed at once.
        resources: where nothing runs, what holds the database.

    Raises:
        RuntimeError: no session is given inside an open transaction.
    """
    key = _key(name)

    async def work(session: AsyncSession) -> int:
        change = update(Counter).where(Counter.id == key).values(value=Counter.value + amount)
        await _change_row(session, key, name, change)
        return cast(int, await session.scalar(select(Counter.value).where(Counter.id == key)))

    return await _run(work, session, resources)


async def take(
    name: str,
    amount: int,
    *,
    limit: int,
    window_seconds: float,
    session: AsyncSession | None = None,
    resources: HasDatabase | None = None,
) -> bool:
    """Take from what a window allows; False, and nothing taken, where it would be more than `limit`.

    A window begins with the first that is taken after the one before has ended, by the clock of the database.

    Args:
        name: at most 200 characters; not the name of a counter that `add` counts.
        amount: how much to take.
        limit: how much a window allows.
        window_seconds: how long a window lasts.
        session: the transaction that it belongs to; without one it is committed at once.
        resources: where nothing runs, what holds the database.

    Raises:
        ValueError: amount or window is not positive.
        RuntimeError: no session is given inside an open transaction.
    """
    if amount <= 0 or window_seconds <= 0:
        raise ValueError(f"take needs a positive amount and window, got {amount} and {window_seconds}.")
    if amount > limit:
        return False
    key = _key(name)

    async def work(session: AsyncSession) -> bool:
        now = database_seconds(session)
        ended = Counter.ends <= now
        # In this order: MySQL computes each value from those already set.
        change = (
            update(Counter)
            .where(Counter.id == key, or_(ended, Counter.value + amount <= limit))
            .ordered_values(
                (Counter.value, case((ended, amount), else_=Counter.value + amount)),
                (Counter.ends, case((ended, now + window_seconds), else_=Counter.ends)),
            )
        )
        return await _change_row(session, key, name, change)

    taken = await _run(work, session, resources)
    if session is None and random.random() < PRUNE_CHANCE:
        await _prune(resources)
    return taken


async def forget(
    name: str, *, session: AsyncSession | None = None, resources: HasDatabase | None = None
) -> None:
    """Take a counter away: it begins at 0 again, or with a new window.

    Raises:
        RuntimeError: no session is given inside an open transaction.
    """

    async def work(session: AsyncSession) -> None:
        await session.execute(delete(Counter).where(Counter.id == _key(name)))

    await _run(work, session, resources)


def _key(name: str) -> str:
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise ValueError(f"a counter's name has 1 to {MAX_NAME_LENGTH} characters, not {len(name)}.")
    return derive_key(name.encode())


async def _prune(resources: HasDatabase | None) -> None:
    """A window that has ended is as good as none."""
    async with separate_transaction(resources) as session:
        await session.execute(
            delete(Counter).where(Counter.ends > 0, Counter.ends <= database_seconds(session))
        )


async def _run(
    work: Callable[[AsyncSession], Awaitable[T]], session: AsyncSession | None, resources: HasDatabase | None
) -> T:
    if session is not None:
        return await work(session)
    async with separate_transaction(resources) as own:
        return await work(own)


async def _change_row(session: AsyncSession, key: str, name: str, change: Update) -> bool:
    """Change a counter's row; where there is none it is made first. False if the row does not meet the condition."""
    if await _changes(session, change):
        return True
    # Writes the row as it is where it exists, so that it stays ours from here to the end of the transaction.
    row = {"id": key, "name": name, "value": 0, "ends": 0.0}
    await upsert(session, Counter, [row], key=[Counter.id], update=[])
    return await _changes(session, change)


async def _changes(session: AsyncSession, change: Update) -> bool:
    done = await session.execute(change, execution_options={"synchronize_session": False})
    return cast(CursorResult[Any], done).rowcount == 1

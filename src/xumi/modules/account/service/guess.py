"""How many guesses at a password are evaluated: at most ten for one subject in any fifteen minutes.

A guess is reserved before the password is looked at, in a transaction of its own, and given back when it was right. What
is counted are the windows of fifteen minutes that this guess falls into and the one before it: fifteen minutes touch two
windows at most, so their sum bounds every such span, and a subject that used all is open again after 15 to 30 minutes.
"""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, case, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth.refresh import digest
from xumi.kernel.db.read import fetch_value, primary
from xumi.kernel.db.session import unit_of_work
from xumi.modules.account.constants import GUESS_WINDOW_SECONDS, MAX_GUESSES
from xumi.modules.account.models import Guess


def present_window() -> int:
    """The number of the window that is now."""
    return int(clock.timestamp()) // GUESS_WINDOW_SECONDS


async def reserve(subject: str) -> bool:
    """Count a guess, committed at once; False when there is none left, and the password must not be evaluated."""
    key, window = digest(subject), present_window()
    try:
        return await _reserve(key, window)
    except IntegrityError:
        # Another guess was the first; now there is a row to count on. This takes a new transaction: on MySQL one whose
        # insert failed keeps a lock on that row, and two of these would wait for each other.
        return await _reserve(key, window)


async def _reserve(key: str, window: int) -> bool:
    async with unit_of_work() as work:
        if await _count(work.session, key, window):
            return True
        if await work.session.scalar(select(Guess.id).where(Guess.subject == key)):
            return False
        work.session.add(Guess(subject=key, window=window, current=1, previous=0))
    return True


async def count(subjects: Sequence[str]) -> int:
    """How many guesses are counted now for that of the subjects that has most."""
    window = present_window()
    counted = case(
        (Guess.window == window, Guess.current + Guess.previous),
        (Guess.window == window - 1, Guess.current),
        else_=0,
    )
    statement = select(func.max(counted)).where(Guess.subject.in_([digest(subject) for subject in subjects]))
    with primary():
        return await fetch_value(statement) or 0


async def give_back(session: AsyncSession, subject: str) -> None:
    """A guess was right: it does not count. (One that was reserved in the window before stays counted.)"""
    await session.execute(
        update(Guess)
        .where(Guess.subject == digest(subject), Guess.window == present_window(), Guess.current > 0)
        .values(current=Guess.current - 1)
    )


async def _count(session: AsyncSession, key: str, window: int) -> bool:
    is_now, was_last = Guess.window == window, Guess.window == window - 1
    previous: ColumnElement[int] = case((is_now, Guess.previous), (was_last, Guess.current), else_=0)
    current: ColumnElement[int] = case((is_now, Guess.current), else_=0)
    result = await session.execute(
        update(Guess)
        .where(Guess.subject == key, previous + current < MAX_GUESSES)
        # In this order: MySQL computes each value from those already set.
        .ordered_values((Guess.previous, previous), (Guess.current, current + 1), (Guess.window, window))
        .execution_options(synchronize_session=False)
    )
    return cast(CursorResult[Any], result).rowcount == 1

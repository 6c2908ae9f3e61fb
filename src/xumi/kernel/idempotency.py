"""The table of idempotency keys: which requests have been answered, and how.

A key is claimed as the first write of a request's transaction and its answer is written just before the commit, so that effect
and answer are kept together or not at all. A process that dies in between takes the claim with it: no key is ever stuck.
Table: `kernel_idempotency_key`. `kernel.http.idempotency` speaks HTTP.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, cast

from pydantic import BaseModel
from sqlalchemy import (
    BigInteger,
    CursorResult,
    Index,
    String,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel import clock
from xumi.kernel.context import current
from xumi.kernel.db.direct import begin, execute
from xumi.kernel.db.model import Blob, ModelBase
from xumi.kernel.db.read import fetch_one, primary
from xumi.kernel.db.session import UnitOfWork, unit_of_work
from xumi.kernel.ids import KEY_LENGTH

KEPT_HOURS = 24
MAX_BODY_BYTES = 256 * 1024
PRUNE_BATCH = 1000


class IdempotencyKey(ModelBase):
    """One key of one caller on one route; `id` is derived from the three, `status` is 0 until there is an answer."""

    __tablename__ = "kernel_idempotency_key"

    fingerprint: Mapped[str] = mapped_column(String(KEY_LENGTH))
    status: Mapped[int]
    content_type: Mapped[str | None] = mapped_column(String(255))
    location: Mapped[str | None] = mapped_column(Text)
    body: Mapped[bytes] = mapped_column(Blob)
    created_at: Mapped[datetime]

    __table_args__ = (Index("ix_kernel_idempotency_key_created_at", "created_at"),)


_table = cast(Table, IdempotencyKey.__table__)
_BY_KEY = select(_table).where(_table.c.id == bindparam("key"))
_TRY_LOCK = select(
    func.pg_try_advisory_xact_lock(bindparam("number", type_=BigInteger)),
    exists().where(_table.c.id == bindparam("key")),
)
# Gives a row if both can be had.
_TRY_LOCK_UNANSWERED = (
    "SELECT WHERE pg_try_advisory_xact_lock({}) "
    "AND NOT EXISTS (SELECT FROM kernel_idempotency_key WHERE id = '{}')"
)


class Answer(BaseModel):
    """What a request was answered with, and the fingerprint of that request."""

    fingerprint: str
    status: int
    content_type: str | None
    location: str | None
    body: bytes


class StoredAnswer(Answer):
    """An answer as the table has it."""

    created_at: datetime

    @property
    def outdated(self) -> bool:
        """Whether it is kept no longer: the key is as good as new."""
        return self.created_at < _oldest()


class KeyTaken(Exception):
    """Another transaction holds the key, or has answered under it."""


def _oldest() -> datetime:
    return clock.now() - timedelta(hours=KEPT_HOURS)


async def find_answer(key: str) -> StoredAnswer | None:
    """How a key was answered, in one read outside any transaction; it may be outdated."""
    with primary():
        found = await fetch_one(_BY_KEY, StoredAnswer, {"key": key})
    return found and StoredAnswer.model_validate(found, from_attributes=True)


async def claim(session: AsyncSession, key: str, fingerprint: str, *, outdated: bool = False) -> None:
    """Take a key for this transaction.

    PostgreSQL says at once that somebody else has it, and its lock holds the key until the answer is inserted with the commit. On the
    others the row is inserted here, and whoever comes second waits for the first one's end: SQLite has one writer at a time, and
    MySQL's unique index makes the second insert wait.

    Args:
        session: the transaction; nothing was written in it yet.
        key: derived from caller, route and header.
        fingerprint: derived from the request.
        outdated: an old answer was seen, which must go first.

    Raises:
        KeyTaken: another transaction has it, or has answered under it; this one must be rolled back.
    """
    locks = _has_locks()
    if locks and not await _lock(session, key, outdated=outdated):
        raise KeyTaken
    if outdated:
        old = delete(IdempotencyKey).where(IdempotencyKey.id == key, IdempotencyKey.created_at < _oldest())
        if cast(CursorResult[Any], await session.execute(old)).rowcount == 0:
            raise KeyTaken
    if locks:
        return
    answer = Answer(fingerprint=fingerprint, status=0, content_type=None, location=None, body=b"")
    await _insert(session, key, answer)


async def _lock(session: AsyncSession, key: str, *, outdated: bool) -> bool:
    """Hold a key until the transaction ends, unless somebody else does or it was answered; `outdated` says that it was, long ago."""
    number = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), signed=True)
    if not outdated:
        # It has no parameters, to go with the BEGIN: a number, and the letters and digits that `derive_key` makes.
        if not key.isalnum():
            raise ValueError("A key of idempotency is made by `derive_key`.")
        found = await begin(session, _TRY_LOCK_UNANSWERED.format(number, key))
        if found is not None:
            return found > 0
    ((locked, answered),) = await execute(session, _TRY_LOCK, {"number": number, "key": key})
    return locked and (outdated or not answered)


async def write_answer(work: UnitOfWork, key: str, answer: Answer) -> None:
    """Write the answer of a key that this transaction has claimed; called before its commit.

    Raises:
        KeyTaken: the handler has rolled its transaction back, and another one has answered since. PostgreSQL says so at the commit,
            by an IntegrityError.
    """
    session = work.session
    if _has_locks():
        work.insert_last(_table, _row(key, answer))
        return
    statement = update(IdempotencyKey).where(IdempotencyKey.id == key).values(**answer.model_dump())
    done = await session.execute(statement, execution_options={"synchronize_session": False})
    if cast(CursorResult[Any], done).rowcount == 0:
        await _insert(session, key, answer)


async def store_answer(key: str, answer: Answer) -> None:
    """Remember an answer whose transaction was rolled back.

    Raises:
        KeyTaken: another transaction has answered under the key since.
    """
    async with unit_of_work() as work:
        await _insert(work.session, key, answer)


def _row(key: str, answer: Answer) -> dict[str, Any]:
    return {"id": key, "created_at": clock.now(), **answer.model_dump()}


def _has_locks() -> bool:
    return current().resources.database.dialect == "postgresql"


async def _insert(session: AsyncSession, key: str, answer: Answer) -> None:
    try:
        await session.execute(insert(IdempotencyKey).values(_row(key, answer)))
    except IntegrityError as error:
        raise KeyTaken from error


async def prune() -> None:
    """Delete the keys that are kept no longer, a batch in each transaction."""
    while True:
        async with unit_of_work() as work:
            old = select(IdempotencyKey.id).where(IdempotencyKey.created_at < _oldest()).limit(PRUNE_BATCH)
            keys = (await work.session.scalars(old)).all()
            if keys:
                await work.session.execute(delete(IdempotencyKey).where(IdempotencyKey.id.in_(keys)))
        if len(keys) < PRUNE_BATCH:
            return

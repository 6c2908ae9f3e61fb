"""A table with one row, on each kind of database, for what devices shall find."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from xumi.kernel.db.engine import Database
from xumi.kernel.db.session import unit_of_work


@dataclass
class Seat:
    """One seat that can be sold, and ways to sell it."""

    database: Database

    async def take(self, *, free: int) -> bool:
        """Write that one is sold, if `free`, which somebody has read before, says that there is one."""
        if free < 1:
            return False
        async with unit_of_work(self) as work:
            await work.session.execute(
                text("UPDATE seat SET free = :left, sold = sold + 1"), {"left": free - 1}
            )
        return True

    async def read(self, column: str = "free") -> int:
        """How many are free, or `sold`."""
        async with self.database.engine.connect() as connection:
            return int(await connection.scalar(text(f"SELECT {column} FROM seat")) or 0)

    async def check_and_take(self) -> bool:
        """The bug: whoever comes between the look and the write finds a free seat too."""
        free = await self.read()
        # Something else is done in between, so that the moment is not missed by chance.
        await asyncio.sleep(0.1)
        return await self.take(free=free)

    async def take_if_free(self) -> bool:
        """The database decides."""
        async with unit_of_work(self) as work:
            statement = text("UPDATE seat SET free = free - 1, sold = sold + 1 WHERE free > 0")
            result = await work.session.execute(statement)
            return bool(result.rowcount)  # type: ignore[attr-defined]


Sell = Callable[[Seat], Awaitable[bool]]


@pytest.fixture
async def seat(database_url: str) -> AsyncIterator[Seat]:
    """One seat, free."""
    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE seat (free INTEGER NOT NULL, sold INTEGER NOT NULL)"))
        await connection.execute(text("INSERT INTO seat VALUES (1, 0)"))
    yield Seat(database)
    await database.close()

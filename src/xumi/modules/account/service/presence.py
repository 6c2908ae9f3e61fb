"""When each session was seen last: noted in memory as requests come, written at most every half minute.

A request notes the id of its session (`Access.check`) and nothing else. What a worker has noted it writes together. A session
that another worker has written a moment ago is left out, so that the number of writes does not grow with that of workers. Where
the process is killed or the database does not answer, half a minute of this is lost: nothing depends on it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from xumi.kernel import clock
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.log import logger
from xumi.modules.account.constants import MAX_IDS, PRESENCE_INTERVAL_SECONDS
from xumi.modules.account.models import UserSession

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources


async def write_seen(resources: "Resources") -> None:
    """Write that the sessions which this worker has seen since the last time were seen now."""
    seen = sorted(resources.access.take_seen())
    for start in range(0, len(seen), MAX_IDS):
        await _write(resources, seen[start : start + MAX_IDS])


async def _write(resources: "Resources", session_ids: Sequence[str]) -> None:
    now = clock.now()
    older = now - timedelta(seconds=PRESENCE_INTERVAL_SECONDS)
    async with unit_of_work(resources) as work:
        # Whoever changes one of them meanwhile is not waited for: neither blocks the other.
        wanted = select(UserSession.id).where(
            UserSession.id.in_(session_ids), UserSession.last_used_at < older
        )
        found = (await work.session.scalars(wanted.with_for_update(skip_locked=True))).all()
        if found:
            change = update(UserSession).where(UserSession.id.in_(found)).values(last_used_at=now)
            await work.session.execute(change, execution_options={"synchronize_session": False})


async def _keep_writing(resources: "Resources") -> None:
    while True:
        await asyncio.sleep(PRESENCE_INTERVAL_SECONDS)
        try:
            await write_seen(resources)
        except Exception as error:
            logger.warning("when sessions were seen could not be written; the next try follows", error=error)


@asynccontextmanager
async def note_presence(resources: "Resources") -> AsyncIterator[None]:
    """Write while the process serves, and once more when it stops."""
    resources.background(lambda: _keep_writing(resources), "session presence")
    yield
    try:
        await write_seen(resources)
    except Exception as error:
        logger.warning("when sessions were seen could not be written", error=error)

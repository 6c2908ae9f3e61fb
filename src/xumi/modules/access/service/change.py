"""How changes of roles begin: one at a time, and known to every process within a second."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth.permission import Access
from xumi.kernel.context import find_current
from xumi.kernel.log import logger
from xumi.modules.access.constants import VERSION_ID
from xumi.modules.access.models import AccessVersion


async def begin_change(session: AsyncSession) -> None:
    """Lock all roles and permissions until the transaction ends, and raise their version with it.

    Call it before anything is read that the change depends on. This process applies the change right after the commit, others when
    they next look at the version.
    """
    await session.execute(
        update(AccessVersion)
        .where(AccessVersion.id == VERSION_ID)
        .values(version=AccessVersion.version + 1)
        .execution_options(synchronize_session=False)
    )
    context = find_current()
    work = context.unit_of_work if context is not None else None
    if context is not None and work is not None and work.session is session:
        access = context.resources.access
        work.after_commit(lambda: _apply(access))


async def _apply(access: Access) -> None:
    try:
        await access.refresh()
    except Exception as error:
        # The change is committed; the next look at the version finds it.
        logger.warning("changed roles could not be read yet", error=error)

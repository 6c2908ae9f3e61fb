"""How changes of roles begin: one at a time, and known to every process within a second."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.copies import look_after
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
    look_after(session)

"""Who holds a role. What roles grant is the business of `xumi.modules.access`."""

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.errors import APIException
from xumi.modules.account.constants import USERS_AT_A_TIME
from xumi.modules.account.enums import Role
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.models import UserRole
from xumi.modules.account.repository import lock_administrators, lock_users, read_roles
from xumi.modules.account.service import access
from xumi.modules.audit.service import record


async def count_holders(session: AsyncSession, role: str) -> int:
    """How many users hold a role."""
    return await session.scalar(select(func.count()).select_from(UserRole).where(UserRole.role == role)) or 0


async def take_from_all(session: AsyncSession, role: str) -> None:
    """Nobody holds the role any more; for a role that grants nothing, since nobody's access ends by this."""
    await session.execute(delete(UserRole).where(UserRole.role == role))


async def move_holders(session: AsyncSession, source: str, target: str) -> int:
    """Give the holders of one role another one instead, and end their access tokens; returns how many they are.

    Raises:
        APIException: LAST_ADMINISTRATOR, it is the role `admin`, which must keep a holder.
    """
    if source == Role.ADMIN:
        raise APIException(AccountCode.LAST_ADMINISTRATOR)
    # First, as everywhere: whoever locks several users locks the administrators before.
    await lock_administrators(session)
    holders = select(UserRole.user_id).where(UserRole.role == source).order_by(UserRole.user_id)
    found, moved = (await session.scalars(holders)).all(), 0
    for start in range(0, len(found), USERS_AT_A_TIME):
        user_ids = found[start : start + USERS_AT_A_TIME]
        users = await lock_users(session, user_ids)
        held = await read_roles(session, user_ids)
        await session.execute(delete(UserRole).where(UserRole.role == source, UserRole.user_id.in_(user_ids)))
        for user in users:
            roles = held[user.id]
            if source not in roles:
                continue
            if target not in roles:
                session.add(UserRole(user_id=user.id, role=target))
            access.raise_epoch(session, user)
            after = sorted(roles - {source} | {target})
            record(session, "user.updated", f"user:{user.id}", {"roles": sorted(roles)}, {"roles": after})
            moved += 1
    return moved

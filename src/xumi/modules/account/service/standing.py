"""What an account is worth right now, for features that act in its name."""

from collections.abc import Sequence
from itertools import islice

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.read import fetch_all, primary
from xumi.kernel.schema import SchemaBase
from xumi.modules.account.models import User
from xumi.modules.account.repository import ROLES, lock_users, read_roles

_BATCH = 500


class Standing(SchemaBase):
    """An enabled account's roles, and the epoch that they belong to."""

    id: str
    epoch: int
    roles: list[str]


async def find_standings(user_ids: Sequence[str]) -> dict[str, Standing]:
    """The standing of each of these accounts that exists and is enabled, as it is committed now."""
    found, rest = {}, iter(user_ids)
    statement = select(User.id, User.epoch, ROLES).where(User.enabled)
    with primary():
        while batch := list(islice(rest, _BATCH)):
            for row in await fetch_all(statement.where(User.id.in_(batch)), Standing):
                found[row.id] = row
    return found


async def lock_standing(session: AsyncSession, user_id: str) -> Standing | None:
    """The standing of an account, which cannot change until the transaction ends; None unless it is enabled."""
    users = await lock_users(session, [user_id])
    if not users or not users[0].enabled:
        return None
    roles = (await read_roles(session, [user_id]))[user_id]
    return Standing(id=user_id, epoch=users[0].epoch, roles=sorted(roles))

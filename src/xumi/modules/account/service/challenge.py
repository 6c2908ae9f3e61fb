"""Challenges: what somebody holds who has given the right password and must give a second factor.

A challenge is sealed for one account, its present password and what is to be done next; nothing is stored until it has been
used. It can be used once, within five minutes.
"""

import secrets
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock, counters
from xumi.kernel.auth.refresh import digest
from xumi.kernel.context import current
from xumi.modules.account.constants import CHALLENGE_SECONDS
from xumi.modules.account.models import User
from xumi.modules.account.repository import Credentials, find_credentials, lock_users

Kind = Literal["totp", "enrol"]
"""To give a code of the authenticator app, or to set one up."""

_PURPOSE = "sign-in challenge"


def make_challenge(kind: Kind, user: User) -> str:
    """A challenge for a user who has given his password."""
    facts = f"{kind}.{user.id}.{int(clock.timestamp()) + CHALLENGE_SECONDS}.{secrets.token_urlsafe(16)}"
    return f"{facts}.{current().resources.tokens.sealer.seal(_PURPOSE, f'{facts} {user.password_hash}')}"


async def find_challenged(kind: Kind, challenge: str) -> Credentials | None:
    """Whom a challenge of this kind was made for; None when it is not ours, too old, or the password is another now."""
    facts, _, seal = challenge.rpartition(".")
    parts = facts.split(".")
    if len(parts) != 4 or parts[0] != kind or not parts[2].isdecimal() or int(parts[2]) < clock.timestamp():
        return None
    known = await find_credentials(User.id == parts[1])
    return known if known is not None and known.enabled and _fits(facts, seal, known) else None


async def lock_challenged(session: AsyncSession, challenge: str, known: Credentials) -> User | None:
    """Whom `find_challenged` has found, locked; None when the account has changed since."""
    facts, _, seal = challenge.rpartition(".")
    for user in await lock_users(session, [known.id]):
        if user.enabled and _fits(facts, seal, user):
            return user
    return None


async def use_up(session: AsyncSession, challenge: str) -> bool:
    """Let a challenge count no more from this transaction on; False when it did not count any more."""
    name = f"sign-in challenge {digest(challenge)}"
    return await counters.take(name, 1, limit=1, window_seconds=2 * CHALLENGE_SECONDS, session=session)


def _fits(facts: str, seal: str, user: User | Credentials) -> bool:
    return current().resources.tokens.sealer.is_sealed(_PURPOSE, f"{facts} {user.password_hash}", seal)

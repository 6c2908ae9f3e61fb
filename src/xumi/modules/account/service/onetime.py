"""One-time tokens: secrets that are sent to somebody and do one thing, once, until they expire.

Of each purpose a subject (a user, an invitation) has one: a new one takes the place of the one before. What is stored is a hash.
`binding` ties a token to a state of affairs: a link that resets a password is worth nothing once the password or the address
has changed, whoever changed it.
"""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth.refresh import digest
from xumi.kernel.db.bulk import upsert
from xumi.kernel.db.read import fetch_one, primary
from xumi.kernel.errors import APIException
from xumi.kernel.schema import SchemaBase
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.models import OneTimeToken, User


def bind_to(user: User) -> str:
    """A binding to a user's password and address: a link is worthless once either is another."""
    return f"{user.password_hash} {user.email_key}"


class Issued(SchemaBase):
    """What is known of a token that can still be used."""

    id: str
    subject: str
    binding: str
    email: str | None


async def issue(
    session: AsyncSession,
    purpose: str,
    subject: str,
    *,
    seconds: float,
    binding: str = "",
    email: str | None = None,
) -> str:
    """A new token, which is stored nowhere; the one before of this purpose and subject is void.

    Args:
        session: the caller's.
        purpose: what it does.
        subject: id of what it is about.
        seconds: how long it can be used.
        binding: what must still be so when it is used.
        email: an address that using it proves.
    """
    token, now = secrets.token_urlsafe(32), clock.now()
    row = {
        "purpose": purpose,
        "subject": subject,
        "token_hash": digest(token),
        "binding": digest(binding),
        "email": email,
        "created_at": now,
        "expires_at": now + timedelta(seconds=seconds),
        "used_at": None,
    }
    await upsert(session, OneTimeToken, [row], key=[OneTimeToken.purpose, OneTimeToken.subject])
    return token


async def get_issued(purpose: str, token: str) -> Issued:
    """Look at a token without using it.

    Raises:
        APIException: ONE_TIME_TOKEN_INVALID.
    """
    with primary():
        found = await fetch_one(
            select(OneTimeToken).where(
                OneTimeToken.token_hash == digest(token),
                OneTimeToken.purpose == purpose,
                OneTimeToken.used_at.is_(None),
                OneTimeToken.expires_at > clock.now(),
            ),
            Issued,
        )
    if found is None:
        raise APIException(AccountCode.ONE_TIME_TOKEN_INVALID)
    return found


async def use(session: AsyncSession, issued: Issued, token: str, *, binding: str = "") -> None:
    """Use a token up; of all who try it, one gets through.

    Raises:
        APIException: ONE_TIME_TOKEN_INVALID, it was used, has expired, was replaced, or is bound to what is no more so.
    """
    now = clock.now()
    result = await session.execute(
        update(OneTimeToken)
        .where(
            OneTimeToken.id == issued.id,
            OneTimeToken.token_hash == digest(token),
            OneTimeToken.used_at.is_(None),
            OneTimeToken.expires_at > now,
            OneTimeToken.binding == digest(binding),
        )
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )
    if cast(CursorResult[Any], result).rowcount != 1:
        raise APIException(AccountCode.ONE_TIME_TOKEN_INVALID)


async def void(session: AsyncSession, subjects: Sequence[str], purpose: str | None = None) -> None:
    """Make the tokens of these subjects worthless, of one purpose or of all."""
    statement = delete(OneTimeToken).where(OneTimeToken.subject.in_(subjects))
    if purpose is not None:
        statement = statement.where(OneTimeToken.purpose == purpose)
    await session.execute(statement)

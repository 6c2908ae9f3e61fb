"""Further ways by which a user is known, each of one user only: a mobile number, an account at an OpenID provider.

Name and e-mail address stand in the account itself; a row of kind `email` says that the address was shown to be the user's.
A number is not verified: that takes a port for text messages, which does not exist yet. It lets nobody in who does not know the
account's password, and who finds his number taken asks an administrator.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.db.bulk import upsert
from xumi.kernel.db.read import fetch_all, fetch_value, primary
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.modules.account.constants import MAX_IDENTITIES, NO_PASSWORD
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.models import Identity, User, comparison_key
from xumi.modules.account.repository import lock_users
from xumi.modules.account.schemas import IdentityOut, normalise_mobile
from xumi.modules.audit.service import record

EMAIL, MOBILE, OIDC = "email", "mobile", "oidc:"


def is_named(text: str) -> ColumnElement[bool]:
    """The user whom somebody means who types this to sign in: a name, an address or a number. No two of these look alike."""
    key = comparison_key(text)
    if "@" in key:
        return User.email_key == key
    # A name has no `+`; one that begins with 00 is a name.
    number = normalise_mobile(key) if key.startswith("+") else None
    if number is None:
        return User.username_key == key
    return User.id == (
        select(Identity.user_id).where(Identity.kind == MOBILE, Identity.key == number).scalar_subquery()
    )


async def list_of(user_id: str) -> Sequence[IdentityOut]:
    """A user's identities, the oldest first."""
    statement = select(Identity).where(Identity.user_id == user_id).order_by(Identity.id)
    with primary():
        return await fetch_all(statement, IdentityOut)


async def find_user_id(kind: str, key: str) -> str | None:
    """Whose identity this is."""
    statement = select(Identity.user_id).where(Identity.kind == kind, Identity.key == key)
    with primary():
        found: str | None = await fetch_value(statement)
    return found


async def bind(
    session: AsyncSession, user_id: str, kind: str, key: str, label: str, *, verified: bool = False
) -> str:
    """Give a user a further identity; returns its id. Binding again what he has already changes nothing.

    Raises:
        APIException: NOT_FOUND, no such user; DUPLICATE, it is somebody else's; CONFLICT, he has very many.
    """
    if not await lock_users(session, [user_id]):
        raise APIException(APICode.NOT_FOUND)
    own = (await session.scalars(select(Identity).where(Identity.user_id == user_id))).all()
    for known in own:
        if (known.kind, known.key) == (kind, key):
            return known.id
    if len(own) >= MAX_IDENTITIES:
        raise APIException(APICode.CONFLICT)
    now = clock.now()
    made = Identity(
        user_id=user_id,
        kind=kind,
        key=key,
        label=label[:254],
        verified_at=now if verified else None,
        created_at=now,
    )
    try:
        async with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        raise APIException(
            APICode.DUPLICATE, errors=[FieldError("key", "belongs to another account")]
        ) from error
    record(session, "identity.bound", f"user:{user_id}", None, {"kind": kind, "label": label})
    return made.id


async def unbind(session: AsyncSession, user_id: str, identity_id: str) -> None:
    """Take an identity away from a user.

    Raises:
        APIException: NOT_FOUND, also where it is somebody else's; LAST_IDENTITY, no other way to sign in would remain.
    """
    # Two who unbind at once take turns here: the second sees what the first has left.
    users = await lock_users(session, [user_id])
    own = (await session.scalars(select(Identity).where(Identity.user_id == user_id))).all()
    found = next((identity for identity in own if identity.id == identity_id), None)
    if found is None or not users:
        raise APIException(APICode.NOT_FOUND)
    others = [identity for identity in own if identity is not found]
    if not has_password(users[0].password_hash) and not any(one.kind.startswith(OIDC) for one in others):
        raise APIException(AccountCode.LAST_IDENTITY)
    await session.execute(delete(Identity).where(Identity.id == found.id))
    record(session, "identity.unbound", f"user:{user_id}", {"kind": found.kind, "label": found.label}, None)


async def confirm_email(session: AsyncSession, user: User) -> None:
    """The address of the account was shown to be the user's; whoever has shown it of himself before has lost it since."""
    assert user.email is not None
    now = clock.now()
    row = {
        "user_id": user.id,
        "kind": EMAIL,
        "key": user.email_key,
        "label": user.email,
        "verified_at": now,
        "created_at": now,
    }
    await upsert(session, Identity, [row], key=[Identity.kind, Identity.key])


def has_password(password_hash: str) -> bool:
    """Whether an account can be signed in to by a password."""
    return not password_hash.startswith(NO_PASSWORD)

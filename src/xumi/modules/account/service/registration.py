"""How accounts come to be: by their owner, and the first administrator."""

import secrets

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth.password import hash_password
from xumi.kernel.config import Settings
from xumi.kernel.errors import APIException, StartError
from xumi.kernel.events import publish
from xumi.modules.account.enums import Role
from xumi.modules.account.events import UserRegistered
from xumi.modules.account.models import User, UserRole
from xumi.modules.account.schemas import Register, Username
from xumi.modules.account.service.policy import check_password
from xumi.modules.account.service.user import add_user


async def register(session: AsyncSession, data: Register) -> User:
    """Make an account with the role `user`; `UserRegistered` tells of it.

    Raises:
        APIException: DUPLICATE, naming the fields that are taken; VALIDATION_FAILED for the password.
    """
    user = await _create(session, data, {Role.USER})
    publish(UserRegistered(user_id=user.id, username=data.username, email=data.email))
    return user


async def create_administrator(session: AsyncSession, data: Register) -> User:
    """Make an account with the role `admin`, for the command line.

    Raises:
        APIException: as `register` does.
    """
    return await _create(session, data, {Role.ADMIN, Role.USER})


async def ensure_first_administrator(
    session: AsyncSession, settings: Settings
) -> tuple[str, str | None] | None:
    """Make the first administrator where there is none; safe when two processes start at once.

    Returns:
        The name and, where INITIAL_ADMIN_PASSWORD is not set, the random password to show once; None where there is an
        administrator already.

    Raises:
        StartError: the name is malformed or belongs to somebody who is no administrator.
    """
    if await _has_administrator(session):
        return None
    given = settings.initial_admin_password
    password = given.get_secret_value() if given is not None else secrets.token_urlsafe(12)
    username, roles = _checked(settings.initial_admin_username), {Role.ADMIN, Role.USER}
    password_hash = await hash_password(password)
    try:
        await add_user(session, username=username, email=None, password_hash=password_hash, roles=roles)
    except APIException as error:
        # Another process was first, and its administrator is visible now; or somebody has registered the name.
        if await _has_administrator(session):
            return None
        raise StartError(
            f"There is no administrator, and the name {username!r} is taken by somebody else: set INITIAL_ADMIN_USERNAME to "
            "another name, or run `xumi create-admin`."
        ) from error
    return username, password if given is None else None


def _checked(username: str) -> str:
    try:
        return TypeAdapter(Username).validate_python(username)
    except ValidationError as error:
        raise StartError(f"INITIAL_ADMIN_USERNAME is {username!r}: {error.errors()[0]['msg']}.") from error


async def _create(session: AsyncSession, data: Register, roles: set[Role]) -> User:
    check_password(data.password, data.username, data.email)
    password_hash = await hash_password(data.password)
    return await add_user(
        session, username=data.username, email=data.email, password_hash=password_hash, roles=roles
    )


async def _has_administrator(session: AsyncSession) -> bool:
    return await session.scalar(select(UserRole.id).where(UserRole.role == Role.ADMIN).limit(1)) is not None

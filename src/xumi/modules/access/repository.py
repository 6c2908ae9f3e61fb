"""Queries of roles that are used twice."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.modules.access.models import Role


async def require_role(session: AsyncSession, code: str, *, field: str | None = None) -> Role:
    """A role that exists, enabled or not.

    Args:
        session: the transaction that depends on it.
        code: the role's name.
        field: the field of the body that names it; None where the path does.

    Raises:
        APIException: NOT_FOUND, or VALIDATION_FAILED naming `field`.
    """
    role = await session.scalar(select(Role).where(Role.code == code))
    if role is not None:
        return role
    if field is None:
        raise APIException(APICode.NOT_FOUND)
    raise APIException(
        APICode.VALIDATION_FAILED, errors=[FieldError(field, f"there is no role {code[:64]!r}")]
    )

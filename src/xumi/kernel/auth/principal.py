"""The caller of a request, as handlers see it."""

from typing import Annotated

import msgspec
from fastapi import Depends

from xumi.kernel.context import current
from xumi.kernel.errors import APICode, APIException


class Principal(msgspec.Struct, frozen=True):
    """Who asks: made from a verified access token, without a query.

    Attributes:
        user_id: the account's id.
        roles: the names of the roles that the account held when the token was issued.
        session_id: the sign-in that the token belongs to.
        permissions: what the roles grant now.
    """

    user_id: str
    roles: tuple[str, ...]
    session_id: str
    permissions: frozenset[str]


async def current_principal() -> Principal:
    """The caller of the running request.

    Raises:
        APIException: UNAUTHENTICATED where nobody has signed in (a public route).
    """
    principal = current().principal
    if principal is None:
        raise APIException(APICode.UNAUTHENTICATED)
    return principal


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]
"""Declares a handler's parameter that is the caller."""

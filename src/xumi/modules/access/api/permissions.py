"""The permissions that there are."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.http.router import get_router
from xumi.modules.access.schemas import PermissionOut, PermissionQuery
from xumi.modules.access.service import permission as permissions

router = get_router(prefix="/api/v1/permissions", tags=["permissions"])


@router.get("", permission="permission:list")
async def list_permissions(query: Annotated[PermissionQuery, Query()]) -> PaginateResponse[PermissionOut]:
    """A page of the permissions that can be granted, or all that match as a file."""
    return await permissions.list_permissions(query)

"""The permissions that there are."""

from sqlalchemy import select

from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.modules.access.models import AccessPermission
from xumi.modules.access.schemas import PermissionOut, PermissionQuery

_FILTERS = {AccessPermission.code: FilterTypeEnum.Like, AccessPermission.feature: FilterTypeEnum.Equals}


async def list_permissions(query: PermissionQuery) -> PaginateResponse[PermissionOut]:
    """The permissions that are wanted, by code."""
    statement = add_filters(select(AccessPermission), query, _FILTERS)
    if query.vanished is not None:
        vanished = AccessPermission.vanished_at.is_not(None)
        statement = statement.where(vanished if query.vanished else ~vanished)
    sortable = [AccessPermission.code, AccessPermission.feature]
    return await paginate_query(statement, query, PermissionOut, sortable=sortable, default_sort="code")

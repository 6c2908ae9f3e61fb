"""The administrator's list of the staff."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Query
from sqlalchemy import column, select, table

from modules.staff.models import Member
from xumi.kernel import PaginateRequest, PaginateResponse, SchemaBase, get_router, paginate_query
from xumi.kernel.db.model import UtcDateTime

router = get_router()

USER = table(
    "account_user",
    column("id"),
    column("username"),
    column("email"),
    column("enabled"),
    column("created_at", UtcDateTime()),
)
"""Accounts, whose module offers no such list."""


class MemberOut(SchemaBase):
    """A member of the staff."""

    id: str
    username: str
    email: str | None
    enabled: bool
    created_at: datetime
    name: str
    department: str
    phone: str
    address: str
    about: str
    joined_on: date


STAFF = select(
    USER.c.id,
    USER.c.username,
    USER.c.email,
    USER.c.enabled,
    USER.c.created_at,
    Member.name,
    Member.department,
    Member.phone,
    Member.address,
    Member.about,
    Member.joined_on,
).join_from(Member, USER, Member.user_id == USER.c.id)


@router.get("", permission="staff:list")
async def list_staff(query: Annotated[PaginateRequest, Query()]) -> PaginateResponse[MemberOut]:
    """A page of the staff with its number, the newest first."""
    return await paginate_query(
        STAFF,
        query,
        MemberOut,
        sortable={"id": Member.user_id},
        default_sort="-id",
        counts=("cached", "exact", "none"),
    )

"""Writing and reading the audit log."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.context import find_current
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import primary
from xumi.modules.audit.constants import SYSTEM
from xumi.modules.audit.models import AuditEntry
from xumi.modules.audit.schemas import AuditOut, AuditQuery

FindName = Callable[[str], ColumnElement[Any]]

_FILTERS = {
    AuditEntry.at: FilterTypeEnum.Datetime,
    AuditEntry.actor_id: FilterTypeEnum.Equals,
    AuditEntry.actor: FilterTypeEnum.Like,
    AuditEntry.action: FilterTypeEnum.Equals,
    AuditEntry.subject: FilterTypeEnum.Equals,
    AuditEntry.request_id: FilterTypeEnum.Equals,
}
_find_name: list[FindName] = []


def find_names_by(find_name: FindName) -> None:
    """Say how an actor's name is found: from his id to the scalar query that gives it. Who owns the users says so."""
    _find_name[:] = [find_name]


def record(
    session: AsyncSession,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """Add an entry to the caller's transaction; who, the request and the address are those of the running context.

    Args:
        session: the transaction that changes the subject.
        action: `<thing>.<past tense>`, such as `role.created`.
        subject: `<thing>:<id>`.
        before: what it was, as far as it changes; None where it did not exist. Never a secret.
        after: what it is now; None where it no longer exists.
    """
    context = find_current()
    principal = context.principal if context is not None else None
    actor: Any = SYSTEM
    if principal is not None:
        # The database looks the name up while it inserts: a token does not carry it.
        actor = func.coalesce(_find_name[0](principal.user_id), "") if _find_name else ""
    session.add(
        AuditEntry(
            at=clock.now(),
            actor_id=principal.user_id if principal is not None else None,
            actor=actor,
            action=action,
            subject=subject,
            before=None if before is None else dict(before),
            after=None if after is None else dict(after),
            request_id=context.request_id if context is not None else "",
            ip=context.ip[:45] if context is not None else "",
        )
    )


async def list_entries(query: AuditQuery) -> PaginateResponse[AuditOut]:
    """The entries that are wanted, the newest first."""
    statement = add_filters(select(AuditEntry), query, _FILTERS)
    with primary():
        return await paginate_query(
            statement,
            query,
            AuditOut,
            sortable=[AuditEntry.id],
            default_sort="-id",
            keyset=True,
            counts=("cached", "exact", "estimate", "none"),
        )

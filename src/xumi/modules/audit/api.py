"""The audit log, as administrators read it."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.http.router import get_router
from xumi.modules.audit import service
from xumi.modules.audit.schemas import AuditOut, AuditQuery

router = get_router()


@router.get("", permission="audit:list")
async def list_audit_entries(query: Annotated[AuditQuery, Query()]) -> PaginateResponse[AuditOut]:
    """A page of the audit log, the newest first, or all that matches as a file."""
    return await service.list_entries(query)

"""Invitations, as those who may invite manage them."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.account.schemas import InvitationCreate, InvitationOut, InvitationQuery
from xumi.modules.account.service import invitation

router = get_router(prefix="/api/v1/invitations", tags=["invitations"])


@router.get("", permission="invitation:list")
async def list_invitations(query: Annotated[InvitationQuery, Query()]) -> PaginateResponse[InvitationOut]:
    """A page of the invitations that nobody has accepted yet."""
    return await invitation.list_invitations(query)


@router.post("", permission="invitation:create", status_code=201)
async def invite(session: Session, principal: CurrentPrincipal, body: InvitationCreate) -> RowId:
    """Send an invitation; `data` is its id. Inviting an address again replaces roles and link."""
    return await invitation.invite(session, principal, body)


@router.delete("/{invitation_id}", permission="invitation:revoke", status_code=204)
async def revoke_invitation(session: Session, principal: CurrentPrincipal, invitation_id: str) -> None:
    """Take an invitation back; its link is void."""
    await invitation.revoke(session, principal, invitation_id)

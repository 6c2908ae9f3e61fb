"""One's own identities beside name and address."""

from typing import Annotated

from fastapi import Body

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.account.schemas import IdentityOut, MobileBind
from xumi.modules.account.service import identity

router = get_router(prefix="/auth/identities", tags=["account"])


@router.get("", permission="identity:list", response_model=list[IdentityOut])
async def list_identities(principal: CurrentPrincipal) -> object:
    """One's own identities beside name and address."""
    return await identity.list_of(principal.user_id)


@router.post("/mobile", permission="identity:bind", status_code=201, rate_limit="30/hour")
async def bind_mobile(
    session: Session, principal: CurrentPrincipal, body: Annotated[MobileBind, Body()]
) -> RowId:
    """Sign in by a mobile number as well; `data` is the identity's id."""
    return await identity.bind(session, principal.user_id, identity.MOBILE, body.mobile, body.mobile)


@router.delete("/{identity_id}", permission="identity:unbind", status_code=204)
async def unbind(session: Session, principal: CurrentPrincipal, identity_id: str) -> None:
    """Take an identity away from oneself; one way to sign in must remain."""
    await identity.unbind(session, principal.user_id, identity_id)

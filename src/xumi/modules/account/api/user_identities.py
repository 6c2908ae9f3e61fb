"""Identities of others, as administrators look after them."""

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.account.schemas import IdentityOut
from xumi.modules.account.service import identity
from xumi.modules.account.service import user as users

router = get_router(prefix="/api/v1/users/{user_id}/identities", tags=["users"])


@router.get("", permission="user:identities", response_model=list[IdentityOut])
async def list_identities(user_id: str) -> object:
    """An account's identities beside name and address."""
    await users.get_user(user_id)
    return await identity.list_of(user_id)


@router.delete("/{identity_id}", permission="user:unbind", status_code=204)
async def unbind(session: Session, principal: CurrentPrincipal, user_id: str, identity_id: str) -> None:
    """Take an identity away from an account; one way to sign in must remain."""
    await users.check_may_change(session, principal, user_id)
    await identity.unbind(session, user_id, identity_id)

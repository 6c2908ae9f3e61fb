"""What people do by the links in letters: choose a new password, accept an invitation, confirm an address."""

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.account.models import User
from xumi.modules.account.schemas import (
    EmailChange,
    EmailConfirm,
    InvitationAccept,
    PasswordForgot,
    PasswordRestore,
    RegisteredOut,
)
from xumi.modules.account.service import address, invitation, reset

router = get_router(prefix="/auth", tags=["account"])


@router.post("/password/forgot", public=True, status_code=202, rate_limit="10/minute")
async def forget_password(session: Session, body: PasswordForgot) -> None:
    """Ask for a link to choose a new password. The answer is the same whether the address has an account or not."""
    await reset.ask(session, body)


@router.post("/password/reset", public=True, status_code=204, rate_limit="30/minute")
async def reset_password(session: Session, body: PasswordRestore) -> None:
    """Choose a new password by the link, which works once. All sessions of the account end."""
    await reset.restore(session, body)


@router.post(
    "/invitations/accept", public=True, status_code=201, response_model=RegisteredOut, rate_limit="30/minute"
)
async def accept_invitation(session: Session, body: InvitationAccept) -> User:
    """Make the account that an invitation is for."""
    return await invitation.accept(session, body)


@router.post("/email", permission="email:change", status_code=202, rate_limit="10/hour")
async def change_email(session: Session, principal: CurrentPrincipal, body: EmailChange) -> None:
    """Ask for another address for one's account: a link goes there, and by it the address changes."""
    await address.ask(session, principal, body)


@router.post("/email/confirm", public=True, status_code=204, rate_limit="30/minute")
async def confirm_email(session: Session, body: EmailConfirm) -> None:
    """Confirm a new address by the link."""
    await address.confirm(session, body)

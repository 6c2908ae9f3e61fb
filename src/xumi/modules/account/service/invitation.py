"""Invitations: somebody who may give roles gives them to an address; who reads its mail makes the account."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock, mail
from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.password import hash_password
from xumi.kernel.auth.principal import Principal
from xumi.kernel.context import current
from xumi.kernel.db.bulk import upsert
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_one, fetch_value, primary
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.events import publish
from xumi.modules.account.constants import INVITATION_SECONDS
from xumi.modules.account.errors import AccountCode
from xumi.modules.account.events import UserRegistered
from xumi.modules.account.models import Invitation, User, comparison_key
from xumi.modules.account.repository import lock_users, read_roles
from xumi.modules.account.schemas import InvitationAccept, InvitationCreate, InvitationOut, InvitationQuery
from xumi.modules.account.service import identity, letter, onetime
from xumi.modules.account.service.policy import check_password
from xumi.modules.account.service.user import add_user, check_roles, get_user, refuse_escalation
from xumi.modules.audit.service import record

PURPOSE = "invitation"

_ROWS = select(
    Invitation.id,
    Invitation.email,
    Invitation.roles,
    Invitation.invited_by,
    Invitation.created_at,
    Invitation.expires_at,
)
_SORTABLE = {
    "id": Invitation.id,
    "email": Invitation.email_key,
    "created_at": Invitation.created_at,
    "expires_at": Invitation.expires_at,
}


async def list_invitations(query: InvitationQuery) -> PaginateResponse[InvitationOut]:
    """Invitations that nobody has accepted yet, the newest first."""
    statement = add_filters(_ROWS, query, {Invitation.email: FilterTypeEnum.Like})
    return await paginate_query(statement, query, InvitationOut, sortable=_SORTABLE, default_sort="-id")


async def invite(session: AsyncSession, principal: Principal, data: InvitationCreate) -> str:
    """Invite an address; returns the invitation's id. Inviting it again replaces roles and link.

    Raises:
        APIException: VALIDATION_FAILED, naming `roles`; ADMINISTRATOR_REQUIRED; GRANT_REFUSED; DUPLICATE, the address has an
            account; MAIL_UNAVAILABLE.
    """
    mail.check_available()
    check_roles(data.roles)
    refuse_escalation(principal, data.roles)
    inviter = await get_user(principal.user_id)
    key = comparison_key(data.email)
    with primary():
        if await fetch_value(select(User.id).where(User.email_key == key)) is not None:
            raise APIException(APICode.DUPLICATE, errors=[FieldError("email", "has an account")])
    replaced = await session.scalar(select(Invitation).where(Invitation.email_key == key).with_for_update())
    if replaced is not None:
        refuse_escalation(principal, replaced.roles)
    row = {
        "email": data.email,
        "email_key": key,
        "roles": sorted(data.roles),
        "invited_by": principal.user_id,
        "expires_at": clock.now() + timedelta(seconds=INVITATION_SECONDS),
    }
    await upsert(session, Invitation, [row], key=[Invitation.email_key])
    found = await session.scalar(select(Invitation.id).where(Invitation.email_key == key))
    assert found is not None
    token = await onetime.issue(session, PURPOSE, found, seconds=INVITATION_SECONDS)
    await letter.send_invitation(data.email, inviter.username, token)
    record(
        session,
        "invitation.created",
        f"invitation:{found}",
        None,
        {"email": data.email, "roles": row["roles"]},
    )
    return found


async def revoke(session: AsyncSession, principal: Principal, invitation_id: str) -> None:
    """Take an invitation back.

    Raises:
        APIException: NOT_FOUND; ADMINISTRATOR_REQUIRED.
    """
    found = await _lock(session, invitation_id)
    if found is None:
        raise APIException(APICode.NOT_FOUND)
    refuse_escalation(principal, found.roles)
    await onetime.void(session, [found.id], PURPOSE)
    await session.delete(found)
    record(
        session,
        "invitation.revoked",
        f"invitation:{found.id}",
        {"email": found.email, "roles": found.roles},
        None,
    )


async def accept(session: AsyncSession, data: InvitationAccept) -> User:
    """Make the account that the invitation is for; `UserRegistered` tells of it.

    Raises:
        APIException: ONE_TIME_TOKEN_INVALID, also where the inviter could not give these roles any more; DUPLICATE and
            VALIDATION_FAILED, after which the link still works.
    """
    issued = await onetime.get_issued(PURPOSE, data.token)
    with primary():
        known = await fetch_one(_ROWS.where(Invitation.id == issued.subject), InvitationOut)
    if known is None:
        raise APIException(AccountCode.ONE_TIME_TOKEN_INVALID)
    check_password(data.password, data.username, known.email)
    password_hash = await hash_password(data.password)
    found = await _lock(session, issued.subject)
    if found is None or not await _may_still_invite(session, found):
        raise APIException(AccountCode.ONE_TIME_TOKEN_INVALID)
    await onetime.use(session, issued, data.token)
    user = await add_user(
        session, username=data.username, email=found.email, password_hash=password_hash, roles=found.roles
    )
    await identity.confirm_email(session, user)
    await session.delete(found)
    record(
        session,
        "invitation.accepted",
        f"invitation:{found.id}",
        None,
        {"user_id": user.id, "roles": found.roles},
    )
    publish(UserRegistered(user_id=user.id, username=user.username, email=found.email))
    return user


async def _lock(session: AsyncSession, invitation_id: str) -> Invitation | None:
    statement = select(Invitation).where(Invitation.id == invitation_id)
    return await session.scalar(statement.with_for_update().execution_options(populate_existing=True))


async def _may_still_invite(session: AsyncSession, invitation: Invitation) -> bool:
    """Whether the inviter is still there and could still give these roles: what he has lost he does not hand on."""
    inviters = await lock_users(session, [invitation.invited_by])
    if not inviters or not inviters[0].enabled:
        return False
    held = (await read_roles(session, [invitation.invited_by]))[invitation.invited_by]
    snapshot = current().resources.access
    given, own = (snapshot.permissions_of(roles) for roles in (invitation.roles, held))
    # Roles that have gone meanwhile are not given under a name that may come to mean something else.
    return all(map(snapshot.has_role, invitation.roles)) and (EVERYTHING in own or given <= own)

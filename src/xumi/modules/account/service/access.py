"""Ending access before tokens expire: a row that every worker reads, and this worker's own snapshot after the commit."""

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth.permission import Access
from xumi.kernel.context import find_current
from xumi.modules.account.models import AccessChange, User


def end_session(session: AsyncSession, session_id: str) -> None:
    """The access tokens of a session end with this transaction."""
    _announce(session, AccessChange(at=clock.now(), session_id=session_id))


def raise_epoch(session: AsyncSession, user: User) -> None:
    """All access tokens that a user holds end with this transaction. The user's row must be locked."""
    user.epoch += 1
    _announce(session, AccessChange(at=clock.now(), user_id=user.id, epoch=user.epoch))


def apply(access: Access, session_id: str | None, user_id: str | None, epoch: int | None) -> None:
    """Tell a worker's snapshot about a change; telling it twice changes nothing."""
    if session_id is not None:
        access.revoke_session(session_id)
    if user_id is not None and epoch is not None:
        access.raise_epoch(user_id, epoch)


def _announce(session: AsyncSession, change: AccessChange) -> None:
    session.add(change)
    context = find_current()
    work = context.unit_of_work if context is not None else None
    # Another session's commit is not this one's; its change reaches this worker like all others do.
    if context is not None and work is not None and work.session is session:
        told = (change.session_id, change.user_id, change.epoch)
        work.after_commit(lambda: apply(context.resources.access, *told))

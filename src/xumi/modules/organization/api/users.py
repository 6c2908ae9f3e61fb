"""The departments of a user."""

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.organization.schemas import UserDepartments
from xumi.modules.organization.service import member as members

router = get_router(prefix="/api/v1/users", tags=["departments"])


@router.get("/{user_id}/departments", permission="department:list-members")
async def get_user_departments(user_id: str) -> UserDepartments:
    """The departments of a user."""
    return await members.list_departments_of(user_id)


@router.put("/{user_id}/departments", permission="department:set-members", status_code=204)
async def set_user_departments(
    session: Session, principal: CurrentPrincipal, user_id: str, body: UserDepartments
) -> None:
    """Set all departments of a user."""
    await members.set_departments_of(session, principal, user_id, body)

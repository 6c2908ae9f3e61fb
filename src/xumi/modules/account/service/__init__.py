"""What accounts do; other features use what is named here."""

from sqlalchemy import select

from xumi.modules.account.models import User
from xumi.modules.account.repository import USERNAMES
from xumi.modules.account.service.registration import (
    create_administrator,
    ensure_first_administrator,
    register,
)
from xumi.modules.account.service.role import count_holders, move_holders, take_from_all
from xumi.modules.account.service.user import get_user
from xumi.modules.audit.service import find_names_by

__all__ = [
    "USERNAMES",
    "count_holders",
    "create_administrator",
    "ensure_first_administrator",
    "get_user",
    "move_holders",
    "register",
    "take_from_all",
]

find_names_by(lambda user_id: select(User.username).where(User.id == user_id).scalar_subquery())

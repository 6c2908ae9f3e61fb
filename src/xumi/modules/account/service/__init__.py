"""What accounts do; other features use what is named here."""

from xumi.modules.account.service.registration import (
    create_administrator,
    ensure_first_administrator,
    register,
)
from xumi.modules.account.service.user import get_user

__all__ = ["create_administrator", "ensure_first_administrator", "get_user", "register"]

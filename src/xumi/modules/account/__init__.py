"""Accounts: people and programs that sign in, and the two built-in roles.

Tables: `account_user`, `account_user_role`, `account_session`, `account_guess`, `account_access_change`. Depends on no other
feature. Endpoints: `/auth` (one's own account) and `/api/v1/users` (everybody's). Access that has ended reaches every worker
within a second through `account_access_change`.
"""

from xumi.kernel.auth.permission import EVERYTHING
from xumi.kernel.modules import Module
from xumi.modules.account.service.watch import watch

MODULE = Module(
    name="account",
    title_en="Accounts",
    title_zh="账号",
    grants={
        "admin": (EVERYTHING,),
        "user": ("profile:read", "password:change", "session:list", "session:end"),
    },
    lifespan=watch,
)

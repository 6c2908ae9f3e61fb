"""Accounts: people and programs that sign in, and the two built-in roles.

Tables: `account_user`, `account_user_role`, `account_session`, `account_guess`, `account_access_change`. Depends on no other
feature. Endpoints: `/auth` (one's own account) and `/api/v1/users` (everybody's). Access that has ended reaches every worker
within a second through `account_access_change`.
"""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from xumi.kernel.auth import EVERYTHING
from xumi.kernel.modules import Module

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources


def _watch(resources: "Resources") -> AbstractAsyncContextManager[None]:
    # `xumi config show` imports this file for the declaration below, and nothing else of the feature.
    from xumi.modules.account.service.watch import watch

    return watch(resources)


MODULE = Module(
    name="account",
    title_en="Accounts",
    title_zh="账号",
    grants={
        "admin": (EVERYTHING,),
        "user": ("profile:read", "password:change", "session:list", "session:end"),
    },
    lifespan=_watch,
)

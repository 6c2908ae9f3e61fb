"""Accounts: people and programs that sign in, and the two built-in roles.

Tables: `account_user`, `account_user_role`, `account_identity`, `account_session`, `account_second_factor`,
`account_recovery_code`, `account_invitation`, `account_one_time_token`, `account_guess`, `account_access_change`. Depends on
`audit`. Endpoints: `/auth` (one's own account), `/api/v1/users`, `/api/v1/sessions` and `/api/v1/invitations` (everybody's).
Access that has ended reaches every worker within a second through `account_access_change`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from xumi.kernel.auth import EVERYTHING
from xumi.kernel.modules import Module

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources


@asynccontextmanager
async def _live(resources: "Resources") -> AsyncIterator[None]:
    # `xumi config show` imports this file for the declaration below, and nothing else of the feature.
    from xumi.modules.account.service.presence import note_presence
    from xumi.modules.account.service.watch import watch

    async with watch(resources), note_presence(resources):
        yield


MODULE = Module(
    name="account",
    title_en="Accounts",
    title_zh="账号",
    depends=("audit",),
    permissions={
        "profile:read": ("Read one's own account", "查看个人资料"),
        "password:change": ("Change one's own password", "修改个人密码"),
        "session:list": ("List one's own sessions", "查看个人会话"),
        "session:end": ("Sign out and end one's own sessions", "退出登录和结束个人会话"),
        "user:list": ("List users", "查看用户列表"),
        "user:read": ("Read a user", "查看用户"),
        "user:create": ("Create users", "新建用户"),
        "user:replace": ("Replace a user", "覆盖用户信息"),
        "user:update": ("Edit users", "编辑用户"),
        "user:delete": ("Delete users", "删除用户"),
        "user:enable": ("Enable users", "启用用户"),
        "user:disable": ("Disable users", "停用用户"),
        "user:reset-password": ("Reset users' passwords", "重置用户密码"),
    },
    grants={
        "admin": (EVERYTHING,),
        "user": (
            "profile:read",
            "password:change",
            "session:list",
            "session:end",
            "email:change",
            "identity:list",
            "identity:bind",
            "identity:unbind",
            "second-factor:read",
            "second-factor:change",
        ),
    },
    lifespan=_live,
)

"""Permissions and roles: what can be granted, to which role, and who may grant it.

Tables: `access_permission`, `access_role`, `access_role_permission`, `access_role_include`, `access_version`. Depends on `account`,
whose users hold the roles, and on `audit`. Endpoints: `/api/v1/permissions` and `/api/v1/roles`. Permissions come from the routes
and are brought into the table at start; every process holds what roles grant in memory (`resources.access`) and learns of a
change within a second.
"""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from xumi.kernel.modules import Module

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources


def _follow(resources: "Resources") -> AbstractAsyncContextManager[None]:
    # `xumi config show` imports this file for the declaration below, and nothing else of the feature.
    from xumi.modules.access.service.snapshot import follow

    return follow(resources)


MODULE = Module(
    name="access",
    title_en="Roles and permissions",
    title_zh="角色与权限",
    depends=("account", "audit"),
    permissions={
        "permission:list": ("List permissions", "查看权限列表"),
        "role:list": ("List roles", "查看角色列表"),
        "role:read": ("Read a role", "查看角色"),
        "role:create": ("Create and clone roles", "新建和复制角色"),
        "role:update": ("Edit, enable and disable roles", "编辑、启用和停用角色"),
        "role:delete": ("Delete roles", "删除角色"),
        "role:grant": ("Change what roles grant", "修改角色的权限"),
        "role:migrate": ("Move users to another role", "迁移角色用户"),
    },
    lifespan=_follow,
)

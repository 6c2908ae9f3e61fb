"""Fixed values of menus, and the items that are there from the start."""

from collections.abc import Mapping
from typing import Any

MAX_ITEMS = 2000
"""How many items there can be in all."""
MAX_LEVELS = 100
"""How deep the tree can be: what is nested deeper, readers of JSON refuse."""
MAX_DOCUMENT_LEVELS = 10
"""How deep one document can nest what it creates."""
MENUS_TAG = "menus"
CACHE_SECONDS = 5
"""How long a worker may show the menus as they were before another worker changed them."""


def _page(name: str, en: str, zh: str, icon: str, permission: str, *children: Any) -> dict[str, Any]:
    return {
        "kind": "page",
        "code": f"system.{name}",
        "title_en": en,
        "title_zh": zh,
        "icon": icon,
        "path": f"/system/{name}",
        "component": f"system/{name}/index",
        "permission": permission,
        "children": children,
    }


def _button(page: str, name: str, en: str, zh: str, permission: str) -> dict[str, Any]:
    return {
        "kind": "element",
        "code": f"{page}.{name}-button",
        "title_en": en,
        "title_zh": zh,
        "permission": permission,
    }


DEFAULT_MENUS: tuple[Mapping[str, Any], ...] = (
    {
        "kind": "directory",
        "code": "system",
        "title_en": "Administration",
        "title_zh": "系统管理",
        "icon": "setting",
        "path": "/system",
        "children": [
            _page(
                *("users", "Accounts", "账号管理", "user", "user:list"),
                _button("user", "create", "Create account", "新增账号", "user:create"),
                _button("user", "update", "Change account", "修改账号", "user:update"),
                _button("user", "delete", "Delete account", "删除账号", "user:delete"),
                _button("user", "enable", "Enable account", "启用账号", "user:enable"),
                _button("user", "disable", "Disable account", "停用账号", "user:disable"),
                _button("user", "reset-password", "Reset password", "重置密码", "user:reset-password"),
            ),
            _page("roles", "Roles", "角色管理", "key", "role:list"),
            _page(
                *("menus", "Menus", "菜单管理", "menu", "menu:list"),
                _button("menu", "create", "Create item", "新增菜单", "menu:create"),
                _button("menu", "update", "Change item", "修改菜单", "menu:update"),
                _button("menu", "move", "Move item", "移动菜单", "menu:move"),
                _button("menu", "delete", "Delete item", "删除菜单", "menu:delete"),
            ),
            _page("departments", "Departments", "部门管理", "office-building", "department:list"),
            _page(
                *("jobs", "Jobs", "任务管理", "timer", "job:list"),
                _button("job", "retry", "Retry job", "重试任务", "job:retry"),
                _button("job", "cancel", "Cancel job", "取消任务", "job:cancel"),
            ),
            _page("audit", "Audit log", "审计日志", "document", "audit:list"),
        ],
    },
)
"""What the console needs for the administration of Xumi itself."""

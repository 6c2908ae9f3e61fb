"""Error codes of menus."""

from xumi.kernel.errors import APICode, define


class MenuCode(APICode):
    """What can go wrong with menus, beyond the kernel's codes."""

    MENU_HAS_CHILDREN = define(
        40930,
        en="There are items below this one: delete them first, or ask with ?with_children=true.",
        zh="该菜单下还有子项：请先删除子项，或使用 ?with_children=true。",
    )
    MENU_CYCLE = define(
        40931,
        en="An item cannot be moved below itself.",
        zh="不能将菜单移动到其自身或其下级之下。",
    )
    MENU_CHILDREN_CHANGED = define(
        40932,
        en="The ids are not those of all items at this place: read the tree again and send each of them once.",
        zh="提交的 ID 与该层级的菜单不一致：请重新读取菜单树，并将每个 ID 恰好提交一次。",
    )
    MENU_FULL = define(
        40933,
        en="There can be at most {limit} menu items: delete some first.",
        zh="菜单最多 {limit} 项：请先删除部分菜单。",
    )
    MENU_TOO_DEEP = define(
        40934,
        en="The tree can have at most {limit} levels.",
        zh="菜单树最多 {limit} 层。",
    )

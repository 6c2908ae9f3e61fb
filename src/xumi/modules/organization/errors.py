"""Error codes of the organization."""

from xumi.kernel.errors import APICode, define


class OrganizationCode(APICode):
    """What can go wrong with departments and scopes, beyond the kernel's codes."""

    DEPARTMENT_NOT_EMPTY = define(
        40970,
        en="The department has departments below it or members: move them first.",
        zh="该部门下存在子部门或成员，请先将其移走。",
    )
    DEPARTMENT_DISABLED = define(
        40971,
        en="The department is disabled: enable it first, or take another one.",
        zh="该部门已停用：请先启用，或选择其他部门。",
    )
    SCOPE_TOO_WIDE = define(
        40370,
        en="You cannot give a wider data scope than your own.",
        zh="不能授予超出自身的数据范围。",
    )
    OWN_DEPARTMENTS = define(
        40371,
        en="Your own departments decide what you reach: somebody else must change them.",
        zh="不能修改自己所属的部门，请由他人操作。",
    )

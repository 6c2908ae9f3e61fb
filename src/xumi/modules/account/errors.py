"""Error codes of accounts."""

from xumi.kernel.errors import APICode, define


class AccountCode(APICode):
    """What can go wrong with accounts, beyond the kernel's codes."""

    LAST_ADMINISTRATOR = define(
        40910,
        en="The last enabled administrator cannot be removed, disabled or given another role: make another one first.",
        zh="不能移除、停用最后一位管理员，也不能更改其角色：请先添加另一位管理员。",
    )
    ADMINISTRATOR_REQUIRED = define(
        40310,
        en="Only an administrator may change an administrator or give that role.",
        zh="只有管理员才能修改管理员或授予该角色。",
    )
    PASSWORD_WRONG = define(
        42210,
        en="The present password is wrong, or there were too many attempts: check it, or try again in half an hour.",
        zh="当前密码错误，或尝试次数过多：请核对密码，或半小时后重试。",
    )

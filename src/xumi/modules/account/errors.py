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
    LAST_IDENTITY = define(
        40960,
        en="This is the last way to sign in to this account: bind another one, or set a password, first.",
        zh="这是该账号最后的登录方式：请先绑定其他方式或设置密码。",
    )
    ONE_TIME_TOKEN_INVALID = define(
        42260,
        en="The link is not valid, was used already or has expired: ask for a new one.",
        zh="链接无效、已使用或已过期：请重新获取。",
    )
    PASSWORD_WRONG = define(
        42210,
        en="The present password is wrong, or there were too many attempts: check it, or try again in half an hour.",
        zh="当前密码错误，或尝试次数过多：请核对密码，或半小时后重试。",
    )

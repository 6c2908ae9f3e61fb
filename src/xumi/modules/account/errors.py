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
    SECOND_FACTOR_FAILED = define(
        40110,
        en="The code is wrong or was used before, or there were too many attempts: wait for the next code, or sign in again.",
        zh="验证码错误或已使用，或尝试次数过多：请等待下一个验证码，或重新登录。",
    )
    SECOND_FACTOR_EXISTS = define(
        40911,
        en="This account has a second factor already: disable it first.",
        zh="该账号已启用第二因素验证：请先停用。",
    )
    CAPTCHA_REQUIRED = define(
        40111,
        en="There were several failed attempts: send the letters of a picture of GET /auth/captcha with the next one.",
        zh="登录失败次数较多：请通过 GET /auth/captcha 获取图片，并在下次登录时提交其中的字符。",
    )

"""Error codes of API keys."""

from xumi.kernel.errors import APICode, define


class ApiKeyCode(APICode):
    """What can go wrong with API keys, beyond the kernel's codes."""

    TOO_MANY_KEYS = define(
        40940,
        en="This account has {limit} valid API keys, which is the most: revoke one first.",
        zh="该账号已有 {limit} 个有效的 API 密钥，达到上限：请先吊销一个。",
    )

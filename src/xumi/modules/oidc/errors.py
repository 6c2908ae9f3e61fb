"""Error codes of signing in at providers."""

from xumi.kernel.errors import APICode, define


class OidcCode(APICode):
    """What can go wrong at a provider, as far as it concerns the caller; the log says more."""

    PROVIDER_SIGN_IN_FAILED = define(
        40160, en="Signing in through the provider failed: start again.", zh="第三方登录失败：请重新开始。"
    )
    PROVIDER_ACCOUNT_UNKNOWN = define(
        40360,
        en="No account is bound to this one: sign in in another way and bind it.",
        zh="该第三方账号尚未绑定：请先以其他方式登录后绑定。",
    )
    PROVIDER_EMAIL_TAKEN = define(
        40961,
        en="An account with this e-mail address exists: sign in to it and bind this one there.",
        zh="该邮箱已有账号：请先登录该账号后绑定。",
    )
    PROVIDER_UNAVAILABLE = define(
        50361,
        en="The provider does not answer as it should: try again.",
        zh="第三方登录服务暂不可用：请重试。",
    )

"""Every error that a caller can see, by number and by name.

An error has a stable name (`APICode.NOT_FOUND`), a number `<HTTP status><two digits>` (`40400`) and a text in English and
Chinese. A feature adds its own in `errors.py`:

    class AccountCode(APICode):
        LAST_ADMINISTRATOR = define(40910, en="The last administrator cannot be removed.", zh="不能移除最后一位管理员。")

    raise APIException(AccountCode.LAST_ADMINISTRATOR)

Two codes with one number, or two with one name, refuse to start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Locale = Literal["en", "zh"]


class StartError(Exception):
    """The application refuses to start; the message says what is wrong and what to do."""


@dataclass(slots=True)
class ErrorCode:
    """One kind of failure. `number` is `<HTTP status><two digits>`; `name` is set by the class that holds it."""

    number: int
    en: str
    zh: str
    name: str = ""
    owner: str = ""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.number // 100

    def text(self, locale: Locale) -> str:
        """The text for the caller, still with its `{placeholders}`."""
        return self.zh if locale == "zh" else self.en


def define(number: int, *, en: str, zh: str) -> ErrorCode:
    """Declare an error code inside a subclass of `APICode`.

    Raises:
        StartError: the number is not an HTTP error status with two digits behind it.
    """
    if not 400 <= number // 100 <= 599:
        raise StartError(f"Error code {number} must be <HTTP status 400–599><two digits>, for example 40901.")
    return ErrorCode(number, en, zh)


_registry: dict[int, ErrorCode] = {}


def _register(owner: type, codes: Mapping[str, object]) -> None:
    by_name = {code.name: code for code in _registry.values()}
    home = f"{owner.__module__}.{owner.__qualname__}"
    for name, code in codes.items():
        if not isinstance(code, ErrorCode):
            continue
        code.name, code.owner = name, home
        for other in (_registry.get(code.number), by_name.get(name)):
            # The same class imported again (a test, a reload) is no duplicate.
            if other is not None and (other.owner, other.name, other.number) != (home, name, code.number):
                raise StartError(
                    f"Error code {code.number} {name} in {home} collides with {other.number} {other.name} in "
                    f"{other.owner}: give it another number and name."
                )
        _registry[code.number] = code


class APICode:
    """The kernel's error codes; subclass it in a feature to add codes."""

    BAD_REQUEST = define(40000, en="The request cannot be understood.", zh="请求无法识别。")
    INVALID_JSON = define(
        40001, en="The body is not valid JSON: {reason}.", zh="请求体不是有效的 JSON：{reason}。"
    )
    INVALID_ENCODING = define(40002, en="The request is not valid UTF-8.", zh="请求不是有效的 UTF-8 编码。")
    IDEMPOTENCY_KEY_INVALID = define(
        40003,
        en="The header Idempotency-Key must have 1 to 255 visible ASCII characters.",
        zh="请求头 Idempotency-Key 必须是 1 至 255 个可见 ASCII 字符。",
    )
    UNAUTHENTICATED = define(40100, en="Sign in first.", zh="请先登录。")
    TOKEN_INVALID = define(40101, en="The token is invalid.", zh="令牌无效。")
    TOKEN_EXPIRED = define(40102, en="The token has expired.", zh="令牌已过期。")
    LOGIN_FAILED = define(40103, en="The user name or password is wrong.", zh="用户名或密码错误。")
    REFRESH_FAILED = define(40104, en="Sign in again.", zh="请重新登录。")
    FORBIDDEN = define(40300, en="You are not allowed to do this.", zh="权限不足。")
    GRANT_REFUSED = define(
        40301,
        en="You cannot give what you do not hold yourself: {missing}.",
        zh="不能授予您自己没有的权限：{missing}。",
    )
    NOT_FOUND = define(40400, en="This does not exist.", zh="数据不存在。")
    ROUTE_NOT_FOUND = define(40401, en="There is no such path.", zh="接口不存在。")
    METHOD_NOT_ALLOWED = define(
        40500, en="This path does not take this method.", zh="该接口不支持此请求方法。"
    )
    REQUEST_TIMEOUT = define(40800, en="The request body did not arrive in time.", zh="请求体未能及时送达。")
    CONFLICT = define(40900, en="This conflicts with the present state.", zh="与当前状态冲突。")
    DUPLICATE = define(40901, en="This exists already.", zh="数据已存在。")
    REFERENCED = define(40902, en="Other data refers to this.", zh="存在关联数据。")
    IDEMPOTENCY_KEY_RUNNING = define(
        40903,
        en="The request with this Idempotency-Key is still running; try again.",
        zh="使用该 Idempotency-Key 的请求仍在处理中，请稍后重试。",
    )
    BODY_TOO_LARGE = define(
        41300, en="The body is larger than {limit} bytes.", zh="请求体超过 {limit} 字节。"
    )
    UNSUPPORTED_MEDIA_TYPE = define(
        41500, en="Send the body as {expected}.", zh="请以 {expected} 格式发送请求体。"
    )
    VALIDATION_FAILED = define(42200, en="Some values are not valid.", zh="参数校验失败。")
    IDEMPOTENCY_KEY_REUSED = define(
        42201,
        en="This Idempotency-Key was used for another request; take a new one.",
        zh="该 Idempotency-Key 已用于其他请求，请更换。",
    )
    RATE_LIMITED = define(
        42900, en="Too many requests; try again in {seconds} s.", zh="请求过于频繁，请在 {seconds} 秒后重试。"
    )
    INTERNAL = define(50000, en="Something went wrong on our side.", zh="服务器内部错误。")
    UNAVAILABLE = define(
        50300, en="The service is not available now; try again.", zh="服务暂不可用，请重试。"
    )
    DATABASE_UNAVAILABLE = define(
        50301, en="The database is not available now; try again.", zh="数据库暂不可用，请重试。"
    )
    TRANSACTION_CONFLICT = define(
        50302, en="Others changed the same data; try again.", zh="数据正被他人修改，请重试。"
    )
    OVERLOADED = define(50303, en="The service is busy; try again.", zh="服务繁忙，请重试。")
    LOCKED = define(50304, en="Others are working on this; try again.", zh="他人正在处理，请稍后重试。")
    AUTHORIZATION_UNAVAILABLE = define(
        50305,
        en="The service that decides on access does not answer; try again.",
        zh="权限决策服务暂无响应，请重试。",
    )
    MAIL_UNAVAILABLE = define(
        50360,
        en="This server cannot send e-mail: ask its administrator to set MAIL_URL.",
        zh="服务器未配置邮件发送：请联系管理员设置 MAIL_URL。",
    )
    DEADLINE_EXCEEDED = define(50400, en="The request took too long.", zh="请求处理超时。")

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        _register(cls, vars(cls))


_register(APICode, vars(APICode))


def all_codes() -> list[ErrorCode]:
    """Every code that has been declared so far, by number."""
    return [_registry[number] for number in sorted(_registry)]


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that was wrong: `field` is its dotted name as the caller sent it, `reason` a sentence."""

    field: str
    reason: str


class APIException(Exception):
    """A failure that the caller shall see.

    Args:
        code: what kind of failure; decides HTTP status, number and text.
        message: a text that replaces the code's own.
        errors: the fields that were wrong.
        headers: further response headers, for example `Retry-After`.
        params: values for the `{placeholders}` of the code's text.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **params: object,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.params = params

    def text(self, locale: Locale) -> str:
        """The message for the caller in his language."""
        if self.message is not None:
            return self.message
        text = self.code.text(locale)
        return text.format(**self.params) if self.params else text

    def __str__(self) -> str:
        return f"{self.code.number} {self.code.name}: {self.text('en')}"

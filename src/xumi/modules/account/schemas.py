"""What goes in and out of the account endpoints."""

import re
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from xumi.kernel.db.filters import DatetimeRange
from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, Moment, RowId, SchemaBase
from xumi.modules.account.constants import (
    EMAIL_MAX_LENGTH,
    MAX_ROLES,
    PASSWORD_MAX_LENGTH,
    PASSWORD_MIN_LENGTH,
    ROLE_MAX_LENGTH,
    USERNAME_MAX_LENGTH,
    USERNAME_MIN_LENGTH,
)
from xumi.modules.account.enums import Role
from xumi.modules.account.models import comparison_key

_USERNAME = re.compile(rf"[\w.-]{{{USERNAME_MIN_LENGTH},{USERNAME_MAX_LENGTH}}}")
_EMAIL = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@([^\W_]([\w-]{0,61}[^\W_])?\.)+[^\W_]([\w-]{0,61}[^\W_])?"
)

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_SEPARATORS = re.compile(r"[ ().-]")


def _check_username(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    if not _USERNAME.fullmatch(text) or len(comparison_key(text)) > USERNAME_MAX_LENGTH:
        raise ValueError(
            f"must be {USERNAME_MIN_LENGTH} to {USERNAME_MAX_LENGTH} letters, digits, dots, hyphens and underscores"
        )
    return text


def _check_email(text: str) -> str:
    if not _EMAIL.fullmatch(text) or len(comparison_key(text)) > EMAIL_MAX_LENGTH:
        raise ValueError("must be an e-mail address such as name@example.com")
    return text


def normalise_mobile(text: str) -> str | None:
    """The number in E.164 (`+8613800138000`), or None where it is none. One without a country may be anybody's."""
    number = _SEPARATORS.sub("", text)
    if number.startswith("00"):
        number = "+" + number[2:]
    return number if _NUMBER.fullmatch(number) else None


def _check_mobile(text: str) -> str:
    number = normalise_mobile(text)
    if number is None:
        raise ValueError("must be a number with its country code, such as +86 138 0013 8000")
    return number


Username = Annotated[
    str, Field(max_length=4 * USERNAME_MAX_LENGTH, examples=["amy"]), AfterValidator(_check_username)
]
Email = Annotated[
    str, Field(max_length=EMAIL_MAX_LENGTH, examples=["amy@example.com"]), AfterValidator(_check_email)
]
Mobile = Annotated[str, Field(max_length=40, examples=["+86 138 0013 8000"]), AfterValidator(_check_mobile)]
# The bound is for memory; `service.policy` counts normalised characters.
TypedPassword = Annotated[str, Field(max_length=1024, examples=["correct horse battery staple"])]
NewPassword = Annotated[
    str,
    Field(
        max_length=1024,
        description=f"{PASSWORD_MIN_LENGTH} to {PASSWORD_MAX_LENGTH} characters; not a very common one, not the user's name.",
        examples=["purple otters sail at dawn"],
    ),
]
Roles = Annotated[
    set[Annotated[str, Field(max_length=ROLE_MAX_LENGTH)]],
    Field(
        min_length=1,
        max_length=MAX_ROLES,
        description="Codes of the roles that the user holds.",
        examples=[["user"]],
    ),
]
NameOut = Annotated[str, Field(examples=["amy"])]
EmailOut = Annotated[str, Field(examples=["amy@example.com"])]
RolesOut = Annotated[list[str], Field(examples=[["user"]])]
Ip = Annotated[str, Field(description="Where the sign-in came from.", examples=["192.0.2.7"])]


class Register(InputSchema):
    """A new account, made by its owner."""

    username: Username
    email: Email
    password: NewPassword


class RegisteredOut(SchemaBase):
    """The account that was made."""

    id: RowId
    username: NameOut
    email: EmailOut


class Login(InputSchema):
    """A sign-in."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "amy", "password": "correct horse battery staple"}]}
    )

    username: Annotated[str, Field(max_length=EMAIL_MAX_LENGTH)]
    password: TypedPassword
    captcha_id: str | None = Field(None, max_length=256, description="After several failures.")
    captcha: str | None = Field(
        None, max_length=16, description="The letters of its picture, in either case."
    )


class CaptchaOut(SchemaBase):
    """A picture as a data URL, to be read once within `expires_in` seconds."""

    captcha_id: str = Field(examples=["1795254120.Zm9yLXRoZS1leGFtcGxl.b2YtdGhlLWZvcm0.bGV0dGVycw"])
    image: str = Field(examples=["data:image/png;base64,iVBORw0KGgo="])
    expires_in: int = Field(examples=[120])


class Refresh(InputSchema):
    """A refresh token to exchange."""

    refresh_token: Annotated[
        str,
        Field(max_length=1024, examples=["01KA4S7D3M5V9Q2W8XJ6N0RTEB.Zm9yLXRoZS1leGFtcGxl.b2YtdGhlLWZvcm0"]),
    ]


class TokensOut(SchemaBase):
    """What a client keeps after signing in; `expires_in` is the access token's life in seconds."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMUtBIn0.c2lnbmF0dXJl"])
    refresh_token: str = Field(examples=["01KA4S7D3M5V9Q2W8XJ6N0RTEB.Zm9yLXRoZS1leGFtcGxl.b2YtdGhlLWZvcm0"])
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(examples=[900])


class SecondFactorOut(SchemaBase):
    """The password was right, and something is left to do: `totp`, send a code; `enrol`, set up an authenticator app first.

    The challenge is for that, once, within `expires_in` seconds.
    """

    second_factor: Literal["totp", "enrol"]
    challenge: str = Field(
        examples=["totp.01KA4S0Z7Y3T5C1B9FQ8H2MKVD.1795254300.Zm9yLXRoZS1leGFtcGxl.b2YtdGhlLWZvcm0"]
    )
    expires_in: int = Field(examples=[300])


Challenge = Annotated[
    str,
    Field(
        max_length=256,
        examples=["totp.01KA4S0Z7Y3T5C1B9FQ8H2MKVD.1795254300.Zm9yLXRoZS1leGFtcGxl.b2YtdGhlLWZvcm0"],
    ),
]
TypedCode = Annotated[
    str,
    Field(
        max_length=64,
        description="Six digits of the authenticator app, or a recovery code.",
        examples=["492039"],
    ),
]
RecoveryCodes = Annotated[list[str], Field(examples=[["k7dq-2m9x-hw4t-c0ze", "p3vn-8c5r-yj6b-1tas"]])]


class Challenged(InputSchema):
    """Who has given his password."""

    challenge: Challenge


class SecondStep(InputSchema):
    """The second step of a sign-in."""

    challenge: Challenge
    code: TypedCode


class PasswordProof(InputSchema):
    """The caller's password, as proof."""

    password: TypedPassword


class CodeProof(InputSchema):
    """A code of the authenticator app that is being set up."""

    code: TypedCode


class FactorProof(InputSchema):
    """The caller's password and a code, as proof."""

    password: TypedPassword
    code: TypedCode


class EnrolmentOut(SchemaBase):
    """What an authenticator app is set up with: `uri` as a QR code, or `secret` typed in. Shown this once."""

    secret: str = Field(examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    uri: str = Field(examples=["otpauth://totp/Xumi:amy?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Xumi"])


class RecoveryCodesOut(SchemaBase):
    """Codes that let one in without the app, each once. Shown this once."""

    recovery_codes: RecoveryCodes


class EnrolledOut(TokensOut):
    """Tokens, and the recovery codes of the app that was set up on the way; the codes are shown this once."""

    recovery_codes: RecoveryCodes


class SecondFactorState(SchemaBase):
    """The caller's second factor; `enrolled_at` is null without one. `required` says that a role of his requires it."""

    enrolled_at: Moment | None
    recovery_codes_left: int = Field(examples=[10])
    required: bool


class PasswordChange(InputSchema):
    """A new password, with the present one as proof."""

    old_password: TypedPassword
    new_password: NewPassword


class PasswordReset(InputSchema):
    """A new password, set by an administrator."""

    password: NewPassword


OneTimeSecret = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="What stands behind the `#` of the link.",
        examples=["Zm9yLXRoZS1leGFtcGxlLW9mLXRoZS1mb3Jt"],
    ),
]


class PasswordForgot(InputSchema):
    """A wish for a link to choose a new password."""

    email: Email


class PasswordRestore(InputSchema):
    """A new password, with the link as proof."""

    token: OneTimeSecret
    password: NewPassword


class EmailChange(InputSchema):
    """Another address, with the present password as proof."""

    email: Email
    password: TypedPassword


class EmailConfirm(InputSchema):
    """The link that was sent to a new address."""

    token: OneTimeSecret


class InvitationCreate(InputSchema):
    """Somebody who shall make an account with these roles."""

    email: Email
    roles: Roles = Field({Role.USER})


class InvitationAccept(InputSchema):
    """An account by invitation."""

    token: OneTimeSecret
    username: Username
    password: NewPassword


class InvitationQuery(PaginateRequest):
    """Which invitations are wanted; sorted by `id`, `email`, `created_at` or `expires_at`."""

    email: str | None = Field(None, max_length=254, description="Part of the address, in either case.")


class InvitationOut(SchemaBase):
    """An invitation that nobody has accepted yet."""

    id: RowId
    email: EmailOut
    roles: RolesOut
    invited_by: RowId = Field(description="Id of the user who invites.")
    created_at: Moment
    expires_at: Moment


class MobileBind(InputSchema):
    """A mobile number by which the caller can sign in as well."""

    mobile: Mobile


class IdentityOut(SchemaBase):
    """A further way by which an account is known."""

    id: RowId
    kind: str = Field(description="`email`, `mobile`, `wechat` or `oidc:<provider>`.", examples=["mobile"])
    label: str = Field(description="What people know it by.", examples=["+8613800138000"])
    verified_at: Moment | None = Field(description="When it was shown to be the account's owner's.")
    created_at: Moment


class SessionOut(SchemaBase):
    """One sign-in; `current` is the one that asks."""

    id: RowId
    ip: Ip
    user_agent: str = Field(examples=["Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"])
    created_at: Moment
    last_used_at: Moment
    expires_at: Moment
    current: bool


class UserOut(SchemaBase):
    """An account, as administrators and its owner see it."""

    id: RowId
    username: NameOut
    email: EmailOut | None
    roles: RolesOut
    enabled: bool
    last_login_at: Moment | None
    created_at: Moment
    updated_at: Moment


class UserCreate(InputSchema):
    """A new account, made by an administrator."""

    username: Username
    email: Email
    password: NewPassword
    roles: Roles = Field({Role.USER})
    enabled: bool = True


class UserReplace(InputSchema):
    """Everything about an account that can be set (PUT)."""

    username: Username
    email: Email
    roles: Roles
    enabled: bool


class UserChange(InputSchema):
    """What shall be different about an account (PATCH); what is left out stays."""

    username: Username | None = None
    email: Email | None = None
    roles: Roles | None = None
    enabled: bool | None = None


class UserQuery(PaginateRequest):
    """Which accounts are wanted; sorted by `username`, `email`, `enabled`, `created_at`, `updated_at` or `last_login_at`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"page": 1, "size": 20, "sort": "-created_at", "enabled": True}]}
    )

    username: str | None = Field(None, max_length=254, description="Part of the name, in either case.")
    email: str | None = Field(None, max_length=254, description="Part of the address, in either case.")
    enabled: bool | None = Field(None, description="Whether the account may sign in.")
    role: str | None = Field(None, max_length=64, description="A role that the user holds.")
    created_at: DatetimeRange | None = Field(None, description="When the account was made.")


class OnlineSessionQuery(PaginateRequest):
    """Which sessions are wanted; sorted by `last_seen_at`, `since`, `username` or `ip`."""

    user_id: str | None = Field(None, max_length=26, description="Whose they are.")
    username: str | None = Field(None, max_length=254, description="Part of the name, in either case.")
    ip: str | None = Field(None, max_length=45, description="Where the sign-in came from.")
    online: bool | None = Field(None, description="Whether it was seen within the last five minutes.")


class OnlineSessionOut(SchemaBase):
    """Somebody's sign-in, as administrators see it."""

    id: RowId
    user_id: RowId
    username: NameOut
    device: str = Field(description="What people call the device.", examples=["Chrome on Windows"])
    ip: Ip
    last_seen_at: Moment = Field(description="When it asked last, give or take a minute.")
    since: Moment

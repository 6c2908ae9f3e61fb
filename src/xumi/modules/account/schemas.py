"""What goes in and out of the account endpoints."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from xumi.kernel.db.filters import DatetimeRange
from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, SchemaBase
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


Username = Annotated[str, Field(max_length=4 * USERNAME_MAX_LENGTH), AfterValidator(_check_username)]
Email = Annotated[str, Field(max_length=EMAIL_MAX_LENGTH), AfterValidator(_check_email)]
# The bound is for memory; `service.policy` counts normalised characters.
TypedPassword = Annotated[str, Field(max_length=1024)]
NewPassword = Annotated[
    str,
    Field(
        max_length=1024,
        description=f"{PASSWORD_MIN_LENGTH} to {PASSWORD_MAX_LENGTH} characters; not a very common one, not the user's name.",
    ),
]
Roles = Annotated[
    set[Annotated[str, Field(max_length=ROLE_MAX_LENGTH)]],
    Field(min_length=1, max_length=MAX_ROLES, description="Codes of the roles that the user holds."),
]


class Register(InputSchema):
    """A new account, made by its owner."""

    username: Username
    email: Email
    password: NewPassword


class RegisteredOut(SchemaBase):
    """The account that was made."""

    id: str
    username: str
    email: str


class Login(InputSchema):
    """A sign-in."""

    username: Annotated[str, Field(max_length=EMAIL_MAX_LENGTH)]
    password: TypedPassword


class Refresh(InputSchema):
    """A refresh token to exchange."""

    refresh_token: Annotated[str, Field(max_length=1024)]


class TokensOut(SchemaBase):
    """What a client keeps after signing in; `expires_in` is the access token's life in seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int


class PasswordChange(InputSchema):
    """A new password, with the present one as proof."""

    old_password: TypedPassword
    new_password: NewPassword


class PasswordReset(InputSchema):
    """A new password, set by an administrator."""

    password: NewPassword


class SessionOut(SchemaBase):
    """One sign-in; `current` is the one that asks."""

    id: str
    ip: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class UserOut(SchemaBase):
    """An account, as administrators and its owner see it."""

    id: str
    username: str
    email: str | None
    roles: list[str]
    enabled: bool
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime


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

    username: str | None = Field(None, max_length=254, description="Part of the name, in either case.")
    email: str | None = Field(None, max_length=254, description="Part of the address, in either case.")
    enabled: bool | None = Field(None, description="Whether the account may sign in.")
    role: str | None = Field(None, max_length=64, description="A role that the user holds.")
    created_at: DatetimeRange | None = Field(None, description="When the account was made.")

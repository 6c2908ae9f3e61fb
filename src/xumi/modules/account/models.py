"""The tables of accounts: users, their roles, identities, sessions, second factors, invitations, one-time tokens, guesses, ended access."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, validates

from xumi.kernel.db.model import ModelBase, ModelTimeColumns, UtcDateTime


def comparison_key(text: str) -> str:
    """The form under which two spellings of a name or an address are the same: NFKC, case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


class User(ModelBase, ModelTimeColumns):
    """A person or program that signs in. The `*_key` columns hold the form that must be unique."""

    __tablename__ = "account_user"

    username: Mapped[str] = mapped_column(String(64))
    username_key: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str | None] = mapped_column(String(254))
    email_key: Mapped[str | None] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    enabled: Mapped[bool] = mapped_column(default=True)
    epoch: Mapped[int] = mapped_column(default=0)
    """Access tokens that carry a smaller number have ended."""
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_account_user_created_at", "created_at"),)

    @validates("username", "email")
    def _set_key(self, name: str, value: str | None) -> str | None:
        setattr(self, f"{name}_key", value and comparison_key(value))
        return value


class UserRole(ModelBase):
    """A user holds a role."""

    __tablename__ = "account_user_role"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(64))

    __table_args__ = (UniqueConstraint("user_id", "role"), Index("ix_account_user_role_role", "role"))


class UserSession(ModelBase):
    """One sign-in. Its id is the `sid` of access tokens; ending it deletes the row."""

    __tablename__ = "account_session"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the refresh token that is valid now."""
    previous_hash: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the refresh token that was exchanged at `rotated_at`."""
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """When it asked last, give or take a minute (see `service/presence.py`)."""
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ip: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(200))


class SecondFactor(ModelBase):
    """A user's authenticator app; it counts once it is confirmed."""

    __tablename__ = "account_second_factor"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"), unique=True)
    secret: Mapped[str] = mapped_column(String(400))
    """The shared secret, encrypted (see `service/authenticator.py`)."""
    last_step: Mapped[int]
    """The step of the last code that was accepted; only later ones are."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RecoveryCode(ModelBase):
    """A code that lets a user in once without his authenticator app; using it deletes the row."""

    __tablename__ = "account_recovery_code"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"))
    digest: Mapped[str] = mapped_column(String(64))

    __table_args__ = (UniqueConstraint("user_id", "digest"),)


class Guess(ModelBase):
    """Guesses at a password, counted in this window of 15 minutes and in the one before it."""

    __tablename__ = "account_guess"

    subject: Mapped[str] = mapped_column(String(64), unique=True)
    """Digest of what they are counted for: an account's name, known or not; a known device; a session."""
    window: Mapped[int] = mapped_column(Integer, index=True)
    """Number of the window: seconds since 1970 divided by the window's length."""
    current: Mapped[int]
    previous: Mapped[int]


class AccessChange(ModelBase):
    """Access that ended before its tokens expire; every worker reads these (see `service/watch.py`).

    Either `session_id` is set, or `user_id` with the smallest `epoch` that still counts. No foreign keys: the rows
    outlive what they name.
    """

    __tablename__ = "account_access_change"

    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    session_id: Mapped[str | None] = mapped_column(String(26))
    user_id: Mapped[str | None] = mapped_column(String(26))
    epoch: Mapped[int | None]


class Identity(ModelBase):
    """A further way by which a user is known: a mobile number, or an account at somebody else's.

    `key` is what must be unique for its kind: a number in E.164, the comparison form of an address, or the digest of issuer
    and subject of an OpenID provider. `label` is what people see.
    """

    __tablename__ = "account_identity"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    """`email`, `mobile`, `wechat` or `oidc:<provider>`."""
    key: Mapped[str] = mapped_column(String(254))
    label: Mapped[str] = mapped_column(String(254))
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("kind", "key"),)


class Invitation(ModelBase, ModelTimeColumns):
    """Somebody who may make an account with these roles; the row goes when he has."""

    __tablename__ = "account_invitation"

    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    roles: Mapped[list[str]]
    invited_by: Mapped[str] = mapped_column(String(26))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class OneTimeToken(ModelBase):
    """A secret that was sent to somebody and does one thing once. A new one takes the row of the one before."""

    __tablename__ = "account_one_time_token"

    purpose: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(64))
    """Id of what it is about: a user, an invitation."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    binding: Mapped[str] = mapped_column(String(64))
    """Digest of what must still be as it was when the token was made."""
    email: Mapped[str | None] = mapped_column(String(254))
    """An address that using the token proves."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("purpose", "subject"),)

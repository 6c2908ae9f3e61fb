"""The tables of permissions and roles."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.auth import MAX_PERMISSION_LENGTH
from xumi.kernel.db.model import ModelBase, ModelTimeColumns
from xumi.modules.access.constants import ROLE_CODE_MAX_LENGTH, TITLE_MAX_LENGTH


class AccessPermission(ModelBase):
    """What a role can be given, as the modules declared it at the last start."""

    __tablename__ = "access_permission"

    code: Mapped[str] = mapped_column(String(MAX_PERMISSION_LENGTH), unique=True)
    feature: Mapped[str] = mapped_column(String(64), index=True)
    title_en: Mapped[str] = mapped_column(String(200))
    title_zh: Mapped[str] = mapped_column(String(200))
    vanished_at: Mapped[datetime | None]
    """Since when no module declares it; what was granted is kept and counts for nothing."""


class Role(ModelBase, ModelTimeColumns):
    """What users hold; `code` never changes and stands in tokens and in `account_user_role`."""

    __tablename__ = "access_role"

    code: Mapped[str] = mapped_column(String(ROLE_CODE_MAX_LENGTH), unique=True)
    title_en: Mapped[str] = mapped_column(String(TITLE_MAX_LENGTH))
    title_zh: Mapped[str] = mapped_column(String(TITLE_MAX_LENGTH))
    enabled: Mapped[bool] = mapped_column(default=True)
    built_in: Mapped[bool] = mapped_column(default=False)
    """A module declares it: it can be neither deleted nor disabled."""
    second_factor_required: Mapped[bool] = mapped_column(default=False)


class RolePermission(ModelBase):
    """A role grants a permission."""

    __tablename__ = "access_role_permission"

    role: Mapped[str] = mapped_column(ForeignKey("access_role.code", ondelete="CASCADE"))
    permission: Mapped[str] = mapped_column(ForeignKey("access_permission.code"))

    __table_args__ = (
        UniqueConstraint("role", "permission"),
        Index("ix_access_role_permission_permission", "permission"),
    )


class RoleInclude(ModelBase):
    """A role grants all that another one grants."""

    __tablename__ = "access_role_include"

    role: Mapped[str] = mapped_column(ForeignKey("access_role.code", ondelete="CASCADE"))
    included: Mapped[str] = mapped_column(ForeignKey("access_role.code"))

    __table_args__ = (
        UniqueConstraint("role", "included"),
        Index("ix_access_role_include_included", "included"),
    )


class AccessVersion(ModelBase):
    """One row, whose number grows with every change of these tables: whoever changes them locks it first."""

    __tablename__ = "access_version"

    version: Mapped[int]

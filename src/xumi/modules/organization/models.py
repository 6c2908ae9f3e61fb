"""The tables of the organization."""

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.auth.scope import ScopeKind
from xumi.kernel.db.model import ModelBase, ModelTimeColumns
from xumi.modules.organization.constants import CODE_MAX_LENGTH, NAME_MAX_LENGTH


class Department(ModelBase, ModelTimeColumns):
    """A department. The tree is `parent_id` alone: whoever writes holds the lock of `Change`, and readers have it in memory."""

    __tablename__ = "organization_department"

    parent_id: Mapped[str | None] = mapped_column(ForeignKey("organization_department.id"), index=True)
    code: Mapped[str] = mapped_column(String(CODE_MAX_LENGTH), unique=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX_LENGTH))
    order: Mapped[int] = mapped_column(default=0)
    enabled: Mapped[bool] = mapped_column(default=True)


class Member(ModelBase):
    """That a user belongs to a department; `main` is true for one of his departments and NULL for the others."""

    __tablename__ = "organization_member"

    user_id: Mapped[str] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"))
    department_id: Mapped[str] = mapped_column(ForeignKey("organization_department.id"), index=True)
    main: Mapped[bool | None]

    __table_args__ = (UniqueConstraint("user_id", "department_id"), UniqueConstraint("user_id", "main"))


class RoleScope(ModelBase):
    """Which rows of a resource a role opens."""

    __tablename__ = "organization_scope"

    role: Mapped[str] = mapped_column(ForeignKey("access_role.code", ondelete="CASCADE"))
    resource: Mapped[str] = mapped_column(String(64))
    kind: Mapped[ScopeKind]

    __table_args__ = (UniqueConstraint("role", "resource"),)


class ScopeDepartment(ModelBase):
    """A department that a `custom` rule lists."""

    __tablename__ = "organization_scope_department"

    scope_id: Mapped[str] = mapped_column(
        ForeignKey("organization_scope.id", ondelete="CASCADE", name="fk_organization_scope_department_scope")
    )
    # By the rule for names it would be longer than PostgreSQL allows.
    department_id: Mapped[str] = mapped_column(
        ForeignKey(
            "organization_department.id",
            ondelete="CASCADE",
            name="fk_organization_scope_department_department",
        ),
        index=True,
    )

    __table_args__ = (UniqueConstraint("scope_id", "department_id"),)


class Change(ModelBase):
    """The version at which something changed last; `id` says what: a user's departments, the tree, the rules, or anything.

    The row `counter` is also the lock of all who write here.
    """

    __tablename__ = "organization_change"

    version: Mapped[int] = mapped_column(index=True)

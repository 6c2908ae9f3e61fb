"""What goes in and out of the endpoints of permissions and roles."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from xumi.kernel.auth import MAX_PERMISSION_LENGTH
from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, SchemaBase
from xumi.modules.access.constants import (
    MAX_CODES,
    ROLE_CODE_MAX_LENGTH,
    ROLE_CODE_PATTERN,
    TITLE_MAX_LENGTH,
)

RoleCode = Annotated[
    str,
    Field(
        pattern=ROLE_CODE_PATTERN,
        max_length=ROLE_CODE_MAX_LENGTH,
        description="Small letters, digits and hyphens.",
        examples=["clerk"],
    ),
]
Title = Annotated[str, Field(min_length=1, max_length=TITLE_MAX_LENGTH)]
Codes = Annotated[set[Annotated[str, Field(max_length=MAX_PERMISSION_LENGTH)]], Field(max_length=MAX_CODES)]


class PermissionOut(SchemaBase):
    """What a role can be given."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "user:list",
                    "feature": "account",
                    "title_en": "List users",
                    "title_zh": "查看用户列表",
                    "vanished_at": None,
                }
            ]
        }
    )

    code: str
    feature: str = Field(description="The module that declares it.")
    title_en: str
    title_zh: str
    vanished_at: datetime | None = Field(description="Since when no module declares it.")


class PermissionQuery(PaginateRequest):
    """Which permissions are wanted; sorted by `code` or `feature`."""

    code: str | None = Field(None, max_length=MAX_PERMISSION_LENGTH, description="Part of the code.")
    feature: str | None = Field(None, max_length=64, description="The module that declares it.")
    vanished: bool | None = Field(None, description="Whether no module declares it any more.")


class RoleOut(SchemaBase):
    """A role."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "clerk",
                    "title_en": "Clerk",
                    "title_zh": "文员",
                    "enabled": True,
                    "built_in": False,
                    "second_factor_required": False,
                    "created_at": "2026-11-21T09:30:00Z",
                    "updated_at": "2026-11-21T09:30:00Z",
                }
            ]
        }
    )

    code: str
    title_en: str
    title_zh: str
    enabled: bool
    built_in: bool = Field(description="A module declares it: it can be neither disabled nor deleted.")
    second_factor_required: bool
    created_at: datetime
    updated_at: datetime


class RoleQuery(PaginateRequest):
    """Which roles are wanted; sorted by `code`, `created_at` or `updated_at`."""

    code: str | None = Field(None, max_length=ROLE_CODE_MAX_LENGTH, description="Part of the code.")
    enabled: bool | None = Field(None, description="Whether it grants anything now.")


class RoleCreate(InputSchema):
    """A new role, which grants nothing yet."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "clerk", "title_en": "Clerk", "title_zh": "文员"}]}
    )

    code: RoleCode
    title_en: Title
    title_zh: Title
    second_factor_required: bool = Field(
        False, description="Whoever holds it must sign in with a second factor."
    )


class RoleChange(InputSchema):
    """What shall be different about a role; what is left out stays."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title_en": "Senior clerk", "second_factor_required": True}]}
    )

    title_en: Title | None = None
    title_zh: Title | None = None
    second_factor_required: bool | None = None


class RolePermissionsOut(SchemaBase):
    """What a role grants: by itself, and through the roles that it includes. `*` is everything."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"own": ["user:list", "user:read"], "inherited": ["profile:read"]}]}
    )

    own: list[str]
    inherited: list[str]


class RolePermissionsIn(InputSchema):
    """Permissions to set, add or take away."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"permissions": ["user:list", "user:read"]}]})

    permissions: Codes


class RoleIncludes(InputSchema):
    """The roles that a role includes directly: it grants all that they grant."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"includes": ["user"]}]})

    includes: Annotated[set[RoleCode], Field(max_length=200)]


class RoleIncludesOut(SchemaBase):
    """The roles that a role includes directly."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"includes": ["user"]}]})

    includes: list[str]


class RoleMigration(InputSchema):
    """Whoever holds one role gets another instead."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"from_role": "clerk", "to_role": "senior-clerk"}]}
    )

    from_role: RoleCode
    to_role: RoleCode


class RoleMigrationOut(SchemaBase):
    """How many users were moved."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"users": 12}]})

    users: int

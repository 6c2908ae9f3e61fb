"""What goes in and out of the organization's endpoints."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from xumi.kernel.auth.scope import ScopeKind
from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, RowId, SchemaBase
from xumi.modules.organization.constants import (
    CODE_MAX_LENGTH,
    MAX_DEPARTMENTS_OF_USER,
    MAX_MEMBERS,
    NAME_MAX_LENGTH,
)

Code = Annotated[
    str,
    Field(
        min_length=1,
        max_length=CODE_MAX_LENGTH,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Unique.",
        examples=["sales-north"],
    ),
]
Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX_LENGTH, examples=["Sales, north"])]
Order = Annotated[
    int,
    Field(
        ge=-1_000_000,
        le=1_000_000,
        description="Place among its siblings, the smallest first.",
        examples=[10],
    ),
]
_ABOVE = "01KA4S1B7XW2D6F8H0J3K5M9N4"
_SOME_ID = "01KA4S2C9YV3E7G1J5K8M0P4Q6"
_SOME_USER = "01KA4S0Z7Y3T5C1B9FQ8H2MKVD"
_RULE: dict[str, Any] = {"resource": "order", "kind": "custom", "departments": [_SOME_ID]}
Id = Annotated[str, Field(min_length=1, max_length=26, examples=[_SOME_ID])]


class DepartmentOut(SchemaBase):
    """A department."""

    id: str = Field(examples=[_SOME_ID])
    parent_id: str | None = Field(examples=[_ABOVE])
    code: str = Field(examples=["sales-north"])
    name: str = Field(examples=["Sales, north"])
    order: int = Field(examples=[10])
    enabled: bool


class DepartmentNode(DepartmentOut):
    """A department with those below it."""

    children: list["DepartmentNode"] = Field(default_factory=list, examples=[[]])


class DepartmentCreate(InputSchema):
    """A new department."""

    parent_id: Id | None = Field(
        None, description="The one above it; without one it stands at the top.", examples=[_ABOVE]
    )
    code: Code
    name: Name
    order: Order = 0
    enabled: bool = True


class DepartmentChange(InputSchema):
    """What shall be different about a department; what is left out stays."""

    code: Code | None = None
    name: Name | None = None
    order: Order | None = None
    enabled: bool | None = Field(
        None, description="A disabled department takes no new members; what its members reach stays."
    )


class DepartmentMove(InputSchema):
    """Where a department shall stand."""

    parent_id: Id | None = Field(description="The one above it; null for the top.", examples=[_ABOVE])
    order: Order | None = None


class MemberQuery(PaginateRequest):
    """Which members are wanted; sorted by `username`."""

    username: str | None = Field(None, max_length=64, description="Part of the name, in either case.")


class MemberOut(SchemaBase):
    """A member of a department."""

    user_id: RowId
    username: str = Field(examples=["amy"])
    main: bool = Field(description="Whether this is the user's main department.")


class MembersReplace(InputSchema):
    """All members of a department."""

    user_ids: set[Id] = Field(
        max_length=MAX_MEMBERS,
        examples=[[_SOME_USER]],
        description="Ids of users. It becomes the main department of those who have none; those who leave their main "
        "department get another of theirs as such.",
    )


class UserDepartments(InputSchema):
    """All departments of a user."""

    main: Id | None = Field(description="The main one; null where there is none at all.")
    more: set[Id] = Field(
        default_factory=set,
        max_length=MAX_DEPARTMENTS_OF_USER,
        description="The others.",
        examples=[[_ABOVE]],
    )


class RoleScopeRule(InputSchema):
    """Which rows of a resource a role opens."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RULE]})

    resource: Annotated[str, Field(min_length=1, max_length=64)]
    kind: ScopeKind = Field(
        description="`all`: all rows; `department`: those of the caller's departments; `department-tree`: and of all below; "
        "`own`: the caller's own; `custom`: those of the departments listed."
    )
    departments: set[Id] = Field(
        default_factory=set, max_length=1000, description="Ids of departments, for `custom`."
    )


class RoleScopes(InputSchema):
    """What a role opens, each resource once. What is not there stays closed."""

    scopes: list[RoleScopeRule] = Field(max_length=1000, examples=[[_RULE]])


class RoleScopesOut(SchemaBase):
    """What a role opens, and what rules can be about."""

    scopes: list[RoleScopeRule]
    resources: list[str] = Field(examples=[["order"]])

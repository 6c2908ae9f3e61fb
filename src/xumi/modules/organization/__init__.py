"""The organization: departments, who belongs to them, and which rows each role reaches.

Tables: `organization_department`, `organization_member`, `organization_scope`, `organization_scope_department` and
`organization_change`, from which workers learn what is new. Depends on `access` for roles, `account` for users and
`audit`. Endpoints:
`/api/v1/departments`, `/api/v1/users/{user_id}/departments` and `/api/v1/roles/{role}/scopes`. What is decided here
`xumi.kernel.db.scope` puts into statements.
"""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from xumi.kernel.modules import Module

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources


def _watch(resources: "Resources") -> AbstractAsyncContextManager[None]:
    # `xumi config show` imports this file for the declaration below, and nothing else of the feature.
    from xumi.modules.organization.service.watch import watch

    return watch(resources)


MODULE = Module(
    name="organization",
    title_en="Organization",
    title_zh="组织机构",
    depends=("access", "account", "audit"),
    lifespan=_watch,
)

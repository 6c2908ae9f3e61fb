"""API keys: machines call under the account of who made the key, with the permissions that he gave it.

Table: `apikey_key`. Depends on `account` (owners) and `audit`. Endpoints: `/auth/api-keys` (one's own) and `/api/v1/api-keys`
(everybody's). Each worker has all valid keys in memory: a key that was revoked, or whose owner was disabled or lost a role, ends on
every worker within a second, and no request waits for a query.
"""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from xumi.kernel.modules import Module

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources


def _follow(resources: "Resources") -> AbstractAsyncContextManager[None]:
    # As in `xumi.modules.account`: the declaration alone imports nothing of the feature.
    from xumi.modules.apikey.service.follow import follow

    return follow(resources)


MODULE = Module(
    name="apikey",
    title_en="API keys",
    title_zh="API 密钥",
    depends=("account", "audit"),
    grants={"user": ("apikey:list", "apikey:create", "apikey:revoke")},
    lifespan=_follow,
)

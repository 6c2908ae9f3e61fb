"""Signing in at an OpenID provider: authorization code with PKCE, at any provider that the configuration names.

No tables: whose account at a provider belongs to which user is `account`'s (`account_identity`). Depends on `account`. Endpoints:
`/auth/oidc`. Needs `xumi[oidc]` where a provider is configured.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from xumi.kernel.modules import Module
from xumi.modules.oidc.settings import OidcSettings

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources


@asynccontextmanager
async def _live(resources: "Resources") -> AsyncIterator[None]:
    from xumi.modules.oidc.service.providers import live

    async with live(resources):
        yield


MODULE = Module(
    name="oidc",
    title_en="OpenID providers",
    title_zh="第三方登录",
    depends=("account",),
    settings=OidcSettings,
    grants={"user": ("oidc:bind",)},
    lifespan=_live,
)

"""What can be done with API keys."""

from xumi.modules.apikey.service.key import create, list_all, list_own, revoke

__all__ = ["create", "list_all", "list_own", "revoke"]

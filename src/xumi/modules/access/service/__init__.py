"""What can be done with permissions and roles; other features use what is named here."""

from xumi.modules.access.repository import require_role
from xumi.modules.access.service.grant import check_may_grant
from xumi.modules.access.service.snapshot import read_roles
from xumi.modules.access.service.synchronisation import synchronise

__all__ = ["check_may_grant", "read_roles", "require_role", "synchronise"]

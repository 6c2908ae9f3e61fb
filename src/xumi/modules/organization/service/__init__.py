"""What the organization does; other features use what is named here."""

from xumi.modules.organization.service.member import list_departments_of

__all__ = ["list_departments_of"]

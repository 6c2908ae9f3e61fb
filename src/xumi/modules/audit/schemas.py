"""What the audit log shows."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from xumi.kernel.db.filters import DatetimeRange
from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import SchemaBase


class AuditOut(SchemaBase):
    """One change of access."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "01KA4S7D3M5V9Q2W8XJ6N0RTEB",
                    "at": "2026-11-21T09:30:00Z",
                    "actor_id": "01KA4S0Z7Y3T5C1B9FQ8H2MKVD",
                    "actor": "admin",
                    "action": "role.granted",
                    "subject": "role:clerk",
                    "before": {"permissions": ["user:list"]},
                    "after": {"permissions": ["user:list", "user:read"]},
                    "request_id": "5f0c9b6a2d4e4a7c8d1e3b7f9a6c2d10",
                    "ip": "192.0.2.7",
                }
            ]
        }
    )

    id: str
    at: datetime
    actor_id: str | None = Field(description="Id of the user who did it; null where nobody had signed in.")
    actor: str = Field(description="His name at that time, or `system`.")
    action: str = Field(description="Such as `role.created`.")
    subject: str = Field(description="What was changed, such as `role:clerk`.")
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str
    ip: str


class AuditQuery(PaginateRequest):
    """Which entries are wanted; sorted by `id`, which is the order of time."""

    at: DatetimeRange | None = Field(None, description="When it was.")
    actor_id: str | None = Field(None, max_length=26, description="Who did it.")
    actor: str | None = Field(None, max_length=64, description="Part of the name of who did it.")
    action: str | None = Field(None, max_length=64, description="What was done, such as `role.created`.")
    subject: str | None = Field(None, max_length=200, description="What was changed, such as `role:clerk`.")
    request_id: str | None = Field(None, max_length=64, description="The request that did it.")

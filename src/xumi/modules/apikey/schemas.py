"""What goes in and out of the endpoints of API keys."""

from datetime import datetime
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, SchemaBase
from xumi.modules.apikey.constants import (
    DEFAULT_DAYS,
    MAX_DAYS,
    MAX_NETWORKS,
    MAX_PERMISSIONS,
    NAME_MAX_LENGTH,
)


def _check_network(text: str) -> str:
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError("must be an address or a network such as 192.0.2.0/24") from None


Network = Annotated[str, Field(max_length=64), AfterValidator(_check_network)]


class ApiKeyCreate(InputSchema):
    """A new key."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=NAME_MAX_LENGTH,
            description="What it is for.",
            examples=["nightly report"],
        ),
    ]
    permissions: Annotated[
        set[Annotated[str, Field(max_length=128)]],
        Field(
            min_length=1,
            max_length=MAX_PERMISSIONS,
            description="What it may do, as far as its owner may.",
            examples=[["user:list"]],
        ),
    ]
    expires_in_days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = DEFAULT_DAYS
    networks: list[Network] = Field(
        [],
        max_length=MAX_NETWORKS,
        description="Addresses or networks that it may be used from; empty for anywhere.",
        examples=[["192.0.2.0/24"]],
    )


class ApiKeyOut(SchemaBase):
    """A key without its secret. It counts until `expires_at`, unless it was revoked before."""

    id: str
    user_id: str
    name: str
    prefix: str
    permissions: list[str]
    networks: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class ApiKeyCreated(SchemaBase):
    """A key that was just made; `key` is shown this once."""

    id: str
    key: str
    expires_at: datetime


class ApiKeyQuery(PaginateRequest):
    """Which keys are wanted; sorted by `id`, `expires_at` or `last_used_at`."""

    user_id: str | None = Field(None, max_length=26, description="The keys of this account.")

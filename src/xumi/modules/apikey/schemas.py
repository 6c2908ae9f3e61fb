"""What goes in and out of the endpoints of API keys."""

from datetime import datetime
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, Moment, RowId, SchemaBase
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

    id: RowId
    user_id: RowId
    name: str = Field(examples=["nightly report"])
    prefix: str = Field(examples=["xumi_3kQ9dZ"])
    permissions: list[str] = Field(examples=[["user:list"]])
    networks: list[str] = Field(examples=[["192.0.2.0/24"]])
    created_at: Moment
    expires_at: datetime = Field(examples=["2027-02-19T09:30:00Z"])
    last_used_at: Moment | None
    revoked_at: datetime | None = Field(examples=[None])


class ApiKeyCreated(SchemaBase):
    """A key that was just made; `key` is shown this once."""

    id: RowId
    # A real one ends in a checksum: whoever scans texts for leaked keys passes over this one.
    key: str = Field(examples=["xumi_3kQ9dZ0000000000000000000000exam00000000"])
    expires_at: datetime = Field(examples=["2027-02-19T09:30:00Z"])


class ApiKeyQuery(PaginateRequest):
    """Which keys are wanted; sorted by `id`, `expires_at` or `last_used_at`."""

    user_id: str | None = Field(None, max_length=26, description="The keys of this account.")

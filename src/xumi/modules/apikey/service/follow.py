"""Keeps a worker's API keys in memory: all that are valid, each with what its owner may do.

At start everything is read; then, twice a second, what was made or revoked within the last minute (a transaction that began earlier may
commit later, and clocks differ), and the owners who have changed since. A revoked key and a changed owner end sooner than that,
by the changes that `xumi.modules.account` follows: until a key is read again it is not accepted. When keys were last used is
written here as well, beside the requests.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select, update

from xumi.kernel import clock
from xumi.kernel.auth.apikey import Grant
from xumi.kernel.auth.token import Claims
from xumi.kernel.copies import Copy
from xumi.kernel.db.read import fetch_all
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.schema import SchemaBase
from xumi.modules.account.service.standing import Standing, find_standings
from xumi.modules.apikey.constants import (
    KEEP_DAYS,
    LOOK_OVERLAP_SECONDS,
    PRUNE_INTERVAL_SECONDS,
    USE_INTERVAL_SECONDS,
)
from xumi.modules.apikey.models import ApiKey

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources


class KeyRow(SchemaBase):
    """A key as workers need it."""

    id: str
    user_id: str
    digest: str
    permissions: list[str]
    networks: list[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def make_grant(key: KeyRow | ApiKey, owner: Standing) -> Grant:
    """What a key lets a machine do as long as its owner is as he is."""
    claims = Claims(
        "access",
        key.user_id,
        key.id,
        tuple(owner.roles),
        owner.epoch,
        int(key.created_at.timestamp()),
        int(key.expires_at.timestamp()),
    )
    return Grant(claims, frozenset(key.permissions), tuple(ip_network(network) for network in key.networks))


class ValidKeys(Copy):
    """The keys, as one worker knows them."""

    what, meanwhile = "API keys", "new ones are not known, and none counts longer than an access token"

    def __init__(self, resources: "Resources") -> None:
        super().__init__()
        self._resources = resources
        self._keys = resources.api_keys
        self._seen: datetime | None = None
        self._prune_at = clock.monotonic() + PRUNE_INTERVAL_SECONDS
        # The epochs of owners whose keys were read after these were raised.
        self._epochs: dict[str, int] = {}
        self._used: dict[str, float] = {}
        self._written: dict[str, float] = {}

    def outlast(self, silent_seconds: float) -> None:
        """When every access token has expired meanwhile, so has what is known of ended access."""
        if silent_seconds > self._resources.settings.access_token_seconds:
            self._seen = None
            self._keys.clear()

    async def read(self) -> None:
        """Read what is new."""
        began, epochs = clock.now(), self._resources.access.least_epochs()
        changed = {user for user, epoch in epochs.items() if self._epochs.get(user) != epoch}
        statement = select(ApiKey)
        if self._seen is None:
            statement = statement.where(ApiKey.revoked_at.is_(None), ApiKey.expires_at > began)
        else:
            since = self._seen - timedelta(seconds=LOOK_OVERLAP_SECONDS)
            news = ApiKey.changed_at > since
            statement = statement.where(or_(news, ApiKey.user_id.in_(changed)) if changed else news)
        rows = await fetch_all(statement, KeyRow)
        living = [row for row in rows if row.revoked_at is None]
        fresh = [row for row in living if row.user_id in changed or not self._keys.has(row.id)]
        owners = await find_standings(list({row.user_id for row in fresh})) if fresh else {}
        self._keys.remove([row.id for row in rows if row.revoked_at is not None])
        # Of those who have changed only what was read now counts: an owner may be gone, or enabled again.
        self._keys.remove_owners(changed)
        for row in fresh:
            if (owner := owners.get(row.user_id)) is not None:
                self._keys.put(row.digest, make_grant(row, owner))
        self._seen, self._epochs = began, epochs

    async def write_uses(self, *, all_of_them: bool = False) -> None:
        """Write when keys were last used, of each at most once a minute unless it is the last time."""
        self._used |= self._keys.take_uses()
        due = {
            key_id: used
            for key_id, used in self._used.items()
            if all_of_them or used - self._written.get(key_id, 0.0) >= USE_INTERVAL_SECONDS
        }
        if not due:
            return
        async with unit_of_work() as work:
            # In one order, so that two workers cannot wait for each other.
            for key_id, used in sorted(due.items()):
                at = datetime.fromtimestamp(used, UTC)
                is_later = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < at)
                await work.session.execute(
                    update(ApiKey).where(ApiKey.id == key_id, is_later).values(last_used_at=at)
                )
        self._written |= due
        for key_id in due:
            del self._used[key_id]

    async def tend(self) -> None:
        """Write when keys were last used, and prune now and then."""
        await self.write_uses()
        if clock.monotonic() >= self._prune_at:
            self._prune_at = clock.monotonic() + PRUNE_INTERVAL_SECONDS
            self._written = {key: at for key, at in self._written.items() if self._keys.has(key)}
            self._keys.remove(self._keys.find_expired())
            await prune()


async def prune() -> None:
    """Delete keys that ended long ago."""
    old = clock.now() - timedelta(days=KEEP_DAYS)
    async with unit_of_work() as work:
        await work.session.execute(delete(ApiKey).where(ApiKey.expires_at < old))
        await work.session.execute(delete(ApiKey).where(ApiKey.revoked_at < old))


@asynccontextmanager
async def follow(resources: "Resources") -> AsyncIterator[None]:
    """Follow the keys while the process serves; all that are valid are known when this begins."""
    keys = ValidKeys(resources)
    await keys.look()
    async with resources.copies.follow(keys):
        yield
    with suppress(Exception):
        await keys.write_uses(all_of_them=True)

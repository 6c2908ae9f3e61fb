"""API keys: secrets by which machines call, each under the account that owns it and with a part of its permissions.

A key is `xumi_`, 32 random letters and digits (190 bits) and a checksum of these 32 (CRC-32, 8 hexadecimal digits): scanners
for leaked secrets find it by its form, and what is no key is refused before it is looked for. All keys that are valid are in
memory by their SHA-256; whoever owns the table feeds them (`xumi.modules.apikey` does), so that no request waits for a query.
"""

import asyncio
import re
import secrets
import string
import zlib
from collections.abc import Collection, Iterable
from ipaddress import IPv4Network, IPv6Network

import msgspec

from xumi.kernel import clock
from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.permission import Access
from xumi.kernel.auth.principal import Principal
from xumi.kernel.auth.refresh import digest
from xumi.kernel.auth.token import Claims
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.http.client_address import is_inside

PREFIX = "xumi_"
SECRET_LENGTH = 32
SHOWN_LENGTH = len(PREFIX) + 6
"""How much of a key lists show, so that its owner knows which it is."""

_LETTERS = string.ascii_letters + string.digits
_FORM = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{SECRET_LENGTH}}})([0-9a-f]{{8}})")


def make_key() -> str:
    """A new key."""
    secret = "".join(secrets.choice(_LETTERS) for _ in range(SECRET_LENGTH))
    return f"{PREFIX}{secret}{_checksum(secret)}"


def is_well_formed(text: str) -> bool:
    """Whether a text could be a key: its form, and the checksum in it."""
    found = _FORM.fullmatch(text)
    return found is not None and _checksum(found[1]) == found[2]


def _checksum(secret: str) -> str:
    return f"{zlib.crc32(secret.encode()):08x}"


class Grant(msgspec.Struct):
    """What a key stands for.

    Attributes:
        owner: what an access token of the owner would say; its session is the key's id, it expires with the key.
        permissions: what the key may be used for, as far as its owner may do it.
        networks: where it may be used from; empty for anywhere.
    """

    owner: Claims
    permissions: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...]


class ApiKeys:
    """The valid keys of a running application, in memory.

    Args:
        access: what owners may do, and whose access has ended.

    Attributes:
        outdated: set when a key was used whose owner has changed since it was loaded: load it again.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._grants: dict[str, Grant] = {}
        self._digests: dict[str, str] = {}
        self._used: dict[str, float] = {}
        self.outdated = asyncio.Event()

    def check(self, key: str, ip: str) -> Principal:
        """The caller that a key stands for: its owner, with no more than the key's permissions.

        Args:
            key: what was sent.
            ip: the client's address.

        Raises:
            APIException: TOKEN_INVALID, TOKEN_EXPIRED; FORBIDDEN from other networks than the key's; UNAVAILABLE for the
                moment between a change of the owner and the next load of the key.
        """
        grant = self._grants.get(digest(key)) if is_well_formed(key) else None
        if grant is None:
            raise APIException(APICode.TOKEN_INVALID)
        claims, now = grant.owner, clock.timestamp()
        if claims.exp <= now:
            raise APIException(APICode.TOKEN_EXPIRED)
        try:
            owner = self._access.check(claims)
        except APIException as error:
            if error.code is not APICode.TOKEN_EXPIRED:
                raise
            self.outdated.set()
            raise APIException(APICode.UNAVAILABLE, headers={"Retry-After": "1"}) from None
        if grant.networks and not is_inside(ip, grant.networks):
            raise APIException(APICode.FORBIDDEN)
        self._used[claims.sid] = now
        if EVERYTHING in owner.permissions:
            permissions = grant.permissions
        else:
            permissions = grant.permissions & owner.permissions
        return msgspec.structs.replace(owner, permissions=permissions)

    def put(self, key_digest: str, grant: Grant) -> None:
        """Let a key in, or replace what is known of it."""
        self._grants[key_digest] = grant
        self._digests[grant.owner.sid] = key_digest

    def remove(self, key_ids: Iterable[str]) -> None:
        """Let keys in no more; unknown ones are passed over."""
        for key_id in key_ids:
            if (key_digest := self._digests.pop(key_id, None)) is not None:
                del self._grants[key_digest]

    def remove_owners(self, user_ids: Collection[str]) -> None:
        """Let the keys of these accounts in no more."""
        if user_ids:
            self.remove([grant.owner.sid for grant in self._grants.values() if grant.owner.sub in user_ids])

    def clear(self) -> None:
        """Let no key in."""
        self._grants.clear()
        self._digests.clear()

    def has(self, key_id: str) -> bool:
        """Whether a key is known here."""
        return key_id in self._digests

    def find_expired(self) -> list[str]:
        """The ids of the keys that have expired."""
        now = clock.timestamp()
        return [grant.owner.sid for grant in self._grants.values() if grant.owner.exp <= now]

    def take_uses(self) -> dict[str, float]:
        """When each key was last used (seconds since 1970), of those that were used since this was called."""
        used, self._used = self._used, {}
        return used

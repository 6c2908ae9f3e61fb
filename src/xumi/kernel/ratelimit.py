"""How often one caller may call: the generic cell rate algorithm on a fixed table in memory.

`memory://` counts in one table that all workers of one server share: a memory-mapped file of fixed size, so that memory is
bounded and a limit is the same with one worker and with eight. GCRA keeps one number for each caller, the "theoretical
arrival time" (ITU-T I.371 §A): a limit of 10/minute lets 10 calls through at once and then one every 6 s.
"""

import fcntl
import mmap
import os
import secrets
import struct
import time
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from xumi.kernel.errors import StartError

RUNTIME_DIRECTORY = "XUMI_RUNTIME_DIRECTORY"
"""Environment variable: the folder in which the workers of one server meet. Set by `xumi run`, not by people."""

_PERIOD_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_SLOTS = 1 << 16
_PROBES = 8
_REMEMBERED_KEYS = 4096
_SLOT = struct.Struct("<Qd")
_SEED_BYTES = 16


@dataclass(frozen=True, slots=True)
class Rule:
    """`quota` calls in `period_seconds`, counted under `name`."""

    name: str
    quota: int
    period_seconds: int

    @classmethod
    def parse(cls, name: str, text: str) -> "Rule":
        """Read `10/minute`.

        Raises:
            StartError: the text is not `<number>/<second|minute|hour|day>`.
        """
        quota, _, period = text.strip().partition("/")
        if not quota.isdecimal() or int(quota) < 1 or period not in _PERIOD_SECONDS:
            raise StartError(
                f"Rate limit {text!r} of {name} must look like 10/minute; periods: {', '.join(_PERIOD_SECONDS)}."
            )
        return cls(name, int(quota), _PERIOD_SECONDS[period])


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was refused: the rule, and the seconds after which the next one will be let through."""

    rule: Rule
    retry_after_seconds: int

    def headers(self) -> dict[str, str]:
        """`Retry-After` (RFC 9110) and the `RateLimit-*` fields (draft-ietf-httpapi-ratelimit-headers-03)."""
        wait = str(self.retry_after_seconds)
        return {
            "Retry-After": wait,
            "RateLimit-Limit": str(self.rule.quota),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": wait,
        }


def _key(name: str, caller: str, seed: bytes) -> int:
    digest = blake2b(f"{name}\0{caller}".encode(), digest_size=8, key=seed).digest()
    return int.from_bytes(digest, "little") or 1


class RateLimiter:
    """Counts calls in a table of 65,536 callers; when it is full, the caller nearest to being forgotten makes room.

    Args:
        storage_uri: `memory://`.
        directory: where the workers of one server meet; None where there is one worker only.
    """

    def __init__(self, storage_uri: str = "memory://", directory: Path | None = None) -> None:
        if storage_uri != "memory://":
            raise StartError(
                f"RATE_LIMIT_STORAGE_URI is {storage_uri!r}; this version counts in memory:// only."
            )
        size = _SLOTS * _SLOT.size + _SEED_BYTES
        self._file: int | None = None
        if directory is None:
            self._table = mmap.mmap(-1, size)
        else:
            self._file = os.open(directory / "ratelimit", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            os.ftruncate(self._file, size)
            self._table = mmap.mmap(self._file, size)
        # The key keeps a caller from choosing an address whose slot collides with someone else's.
        if self._table[-_SEED_BYTES:] == bytes(_SEED_BYTES):
            self._table[-_SEED_BYTES:] = secrets.token_bytes(_SEED_BYTES)
        seed = self._table[-_SEED_BYTES:]
        # Most calls come from callers that were just here.
        self._key = lru_cache(_REMEMBERED_KEYS)(lambda name, caller: _key(name, caller, seed))
        if self._file is not None:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def hit(self, rule: Rule, caller: str) -> Refusal | None:
        """Count one call of `caller` under `rule`; None where it may go on."""
        key = self._key(rule.name, caller)
        start = key % (_SLOTS - _PROBES) * _SLOT.size
        if self._file is None:
            return self._count(rule, key, start)
        fcntl.lockf(self._file, fcntl.LOCK_EX, _SLOT.size * _PROBES, start)
        try:
            return self._count(rule, key, start)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _SLOT.size * _PROBES, start)

    def _count(self, rule: Rule, key: int, start: int) -> Refusal | None:
        # CLOCK_MONOTONIC is one clock for all processes of a machine; wall time may jump.
        now = time.monotonic()
        offset, arrival = self._find(key, start)
        step = rule.period_seconds / rule.quota
        arrival = max(arrival, now) + step
        wait = arrival - rule.period_seconds - now
        # A millionth of a second forgives the rounding of floats.
        if wait > 1e-6:
            return Refusal(rule, max(1, -int(-wait // 1)))
        _SLOT.pack_into(self._table, offset, key, arrival)
        return None

    def _find(self, key: int, start: int) -> tuple[int, float]:
        """The caller's slot and arrival time, or the slot to take over with 0."""
        oldest, oldest_arrival = start, float("inf")
        for offset in range(start, start + _PROBES * _SLOT.size, _SLOT.size):
            owner, arrival = _SLOT.unpack_from(self._table, offset)
            if owner == key:
                return offset, arrival
            if arrival < oldest_arrival:
                oldest, oldest_arrival = offset, arrival
        return oldest, 0.0

    def close(self) -> None:
        """Give the table back."""
        self._table.close()
        if self._file is not None:
            os.close(self._file)
            self._file = None

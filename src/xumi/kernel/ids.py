"""Keys of rows: 26 letters and digits that sort by the time of their making.

48 bits of milliseconds since 1970 and 80 random bits, in Crockford's base 32 (no I, L, O, U). New rows go to the end of an
index, two processes need not agree on anything, and a key tells nobody the next one.
"""

import os
from hashlib import blake2b

from xumi.kernel import clock

KEY_LENGTH = 26

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_SHIFTS = range(120, -1, -10)


def generate_key() -> str:
    """A new key. Keys of the same millisecond have no order among themselves."""
    return _spell(int(clock.timestamp() * 1000) << 80 | int.from_bytes(os.urandom(10)))


def derive_key(*parts: bytes) -> str:
    """The key that belongs to these parts: always the same one, and nobody finds other parts with it (BLAKE2b, 128 bits)."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return _spell(int.from_bytes(digest.digest()))


def _spell(value: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in _SHIFTS])

"""Seals: short proofs that this application wrote a text, under the keys of `JWT_SECRET_KEY`.

Each purpose has keys of its own, so that a seal made for one can never pass for another.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence


class Sealer:
    """Makes and checks seals.

    Args:
        secrets: the server's secrets; seals are made with the first and checked with all.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._keys = [hmac.digest(secret, b"xumi seal", "sha256") for secret in secrets]

    def seal(self, purpose: str, text: str) -> str:
        """The seal of a text: 43 URL-safe characters, 256 bits."""
        return _seal(self._keys[0], purpose, text)

    def is_sealed(self, purpose: str, text: str, seal: str) -> bool:
        """Whether the seal was made by us for this purpose and text."""
        expected = [_seal(key, purpose, text).encode() for key in self._keys]
        given = seal.encode(errors="replace")
        return any(hmac.compare_digest(mac, given) for mac in expected)


def _seal(key: bytes, purpose: str, text: str) -> str:
    mac = hmac.digest(key, f"{purpose}\0{text}".encode(errors="replace"), "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=").decode()

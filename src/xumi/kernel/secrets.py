"""Keeps texts secret that the system must be able to read again: a merchant's key, a third party's token.

    stored = SecretManager.encrypt("sk-live-…")
    SecretManager.decrypt(stored)

The keys are derived from `SECRET_KEY`. To change it, put the new key in front (`SECRET_KEY=new,old`), pass what is stored
through `rotate`, and take the old key away. Passwords do not belong here: they are hashed (`xumi.kernel.auth.password`).
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xumi.kernel.config import CONFIG, key_ring

_PURPOSE = b"xumi secret manager 1"


class SecretError(ValueError):
    """A stored secret cannot be read: no present key made it, or it was changed."""


class SecretManager:
    """Encrypts and decrypts with the keys of the settings in force. What is stored shows when it was made, to the second."""

    @classmethod
    def encrypt(cls, text: str) -> str:
        """The text, encrypted with the first key; ASCII letters, digits, `-`, `_` and `=`."""
        return _keys().encrypt(text.encode()).decode()

    @classmethod
    def decrypt(cls, secret: str) -> str:
        """The text again.

        Raises:
            SecretError: none of the keys fits, or the secret was changed.
        """
        try:
            return _keys().decrypt(secret.encode()).decode()
        except InvalidToken:
            raise _unreadable() from None

    @classmethod
    def rotate(cls, secret: str) -> str:
        """The same text, encrypted anew with the first key.

        Raises:
            SecretError: none of the keys fits, or the secret was changed.
        """
        try:
            return _keys().rotate(secret.encode()).decode()
        except InvalidToken:
            raise _unreadable() from None


def _unreadable() -> SecretError:
    return SecretError(
        "This secret cannot be decrypted: it was damaged, or its key is gone. If SECRET_KEY was changed, write the old key "
        "behind the new one: SECRET_KEY=new,old."
    )


def _keys() -> MultiFernet:
    return _derived(CONFIG.secret_key.get_secret_value())


@lru_cache(maxsize=8)
def _derived(setting: str) -> MultiFernet:
    return MultiFernet([Fernet(_derive(key.secret)) for key in key_ring(setting)])


def _derive(secret: str) -> bytes:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
    return base64.urlsafe_b64encode(key)

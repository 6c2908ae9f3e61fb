"""Passwords as Argon2id hashes.

Cost: 19 MiB, 2 passes, 1 lane, the OWASP Password Storage Cheat Sheet's smallest recommended setting. Hashing runs on two
threads of its own, so that sign-ins neither block the event loop nor take more than 38 MiB; a bounded queue waits for them.
"""

import asyncio
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from xumi.kernel.errors import APICode, APIException

_T = TypeVar("_T")

THREADS = 2
MAX_WAITING = 256

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16)
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
_waiting = 0


def _nobody() -> str:
    """A hash that no password has, of the same cost as a real one."""
    salt, digest = (b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (16, 32))
    return f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}${salt}${digest}"


_NOBODY = _nobody()


def normalise(text: str) -> str:
    """The form of a password that is counted and hashed (NFKC), so that it is the same from every keyboard."""
    return unicodedata.normalize("NFKC", text)


async def hash_password(text: str) -> str:
    """The hash to store, with its parameters in it.

    Raises:
        APIException: OVERLOADED when too many wait.
    """
    return await _run(lambda: _hasher.hash(normalise(text)))


async def verify_password(text: str, password_hash: str) -> bool:
    """Whether the hash was made from this password. A hash of another kind matches nothing.

    Raises:
        APIException: OVERLOADED when too many wait.
    """
    return await _run(lambda: _matches(text, password_hash))


async def verify_nothing(text: str) -> None:
    """Take as long as `verify_password`, for an account that does not exist or must not be evaluated."""
    await verify_password(text, _NOBODY)


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made at another cost than today's."""
    return _hasher.check_needs_rehash(password_hash)


def _matches(text: str, password_hash: str) -> bool:
    try:
        return _hasher.verify(password_hash, normalise(text))
    except (VerificationError, InvalidHashError):
        return False


async def _run(work: Callable[[], _T]) -> _T:
    global _waiting
    if _waiting >= MAX_WAITING:
        raise APIException(APICode.OVERLOADED, headers={"Retry-After": "2"})
    _waiting += 1
    try:
        return await asyncio.wrap_future(_pool.submit(work))
    finally:
        _waiting -= 1

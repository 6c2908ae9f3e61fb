"""What customers read most is remembered for a moment: a page of products, a product."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import msgspec

from xumi.kernel.context import current
from xumi.modules.shop.catalog.constants import READ_SECONDS

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


async def remember(key: str, read: Callable[[], Awaitable[T]], tables: frozenset[str]) -> T:
    """What `read` gives, or gave lately, as JSON that an endpoint returns.

    A write of this process to one of the tables makes it void at once, whoever wrote. What others write shows within twice
    `READ_SECONDS`: for that long the cache may give the value that it had, while it gets the new one.

    Args:
        key: names it.
        read: reads it; the same for every caller.
        tables: what it reads.
    """

    async def encode() -> bytes:
        return _encode(await read())

    resources = current().resources
    version = resources.database.read.totals.version(tables)
    if version is None:
        return await read()
    data = await resources.cache.get_or_compute(f"{key}:{version}", encode, bytes, ttl_seconds=READ_SECONDS)
    return cast(T, msgspec.Raw(data))

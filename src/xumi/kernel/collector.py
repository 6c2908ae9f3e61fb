"""Python's collector of reference cycles, and the hundred thousand objects that a server is made of."""

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def permanent() -> Iterator[None]:
    """What is made in this block stays: it is not searched for garbage, neither meanwhile nor later.

    A start takes a tenth less, a stop half; and no request waits 50 ms while all modules are looked through. What becomes garbage
    in the block is not found any more, which costs half a megabyte where an application is imported and put together.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def make_permanent(factory: str) -> Any:
    """What a factory, given as `package.module:function`, makes. It stands here because whatever is beside it is imported before."""
    with permanent():
        module, _, name = factory.partition(":")
        return getattr(importlib.import_module(module), name)()

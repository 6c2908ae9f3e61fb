"""How much of a siege is run: all of it with `SIEGE=1`, as `make siege` sets it, else a tenth."""

import os

import pytest


def is_full() -> bool:
    """Whether this is `make siege`."""
    return os.environ.get("SIEGE") == "1"


def scaled(full: int) -> int:
    """`full` in a siege, else a tenth of it, at least 1."""
    return full if is_full() else max(1, full // 10)


def on_databases(ordinary: str) -> pytest.MarkDecorator:
    """Both embedded databases in a siege, else the one that is named."""
    kinds = ("sqlite", "postgresql") if is_full() else (ordinary,)
    return pytest.mark.databases(*kinds)


EVERY = 1 if is_full() else 6
"""Of the points of a crash sweep, every one in a siege, else every sixth."""

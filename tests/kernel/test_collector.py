"""A server is not searched for garbage, what it makes later is."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from xumi.kernel.collector import make_permanent, permanent


class Circle:
    """Refers to itself, so that only the collector can end it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def thaw() -> Iterator[None]:
    yield
    gc.unfreeze()
    assert gc.isenabled()


def make_list() -> list[bool]:
    """A factory; what it makes tells whether the collector was on."""
    return [gc.isenabled()]


def test_what_is_made_in_the_block_stays_and_later_garbage_does_not() -> None:
    with permanent():
        assert not gc.isenabled()
        early = weakref.ref(Circle())
    late = weakref.ref(Circle())
    gc.collect()
    assert early() is not None
    assert late() is None


def test_the_collector_runs_again_after_an_error() -> None:
    with pytest.raises(KeyError), permanent():
        raise KeyError
    assert gc.isenabled()


def test_a_factory_runs_without_the_collector() -> None:
    assert make_permanent(f"{__name__}:make_list") == [False]
    with pytest.raises(AttributeError, match="nothing"):
        make_permanent(f"{__name__}:nothing")

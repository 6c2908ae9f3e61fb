"""A process that jobs run in, on each database, with its context entered."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.conftest import make_settings
from tests.kernel.jobs import sample
from xumi.kernel.resources import Resources


@pytest.fixture
def resources_values() -> dict[str, object]:
    """Settings that a test overrides."""
    return {}


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Nothing has begun."""
    # An event belongs to the loop that it was waited for in.
    sample.began, sample.go_on = asyncio.Event(), asyncio.Event()
    yield
    sample.go_on.set()


@pytest.fixture
async def resources(database_url: str, resources_values: dict[str, object]) -> AsyncIterator[Resources]:
    """What a process holds, and the test's own context."""
    resources = Resources(make_settings(database_url, **resources_values))
    await resources.start()
    with resources.context("test"):
        yield resources
    await resources.close()

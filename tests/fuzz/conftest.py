"""Both applications, started once for each test, on an event loop that hypothesis' examples share."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.fuzz.requests import Sent
from tests.fuzz.shapes import all_shapes
from tests.fuzz.twins import Outcome, Twins

Compare = Callable[[Sent], tuple[Outcome, Outcome]]


@pytest.fixture(scope="module")
def twins_and_loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Twins, asyncio.Runner]]:
    """The two applications and the loop on which they run."""
    with asyncio.Runner() as runner:
        twins = Twins(all_shapes(), tmp_path_factory.mktemp("fuzz"))
        runner.run(twins.start())
        yield twins, runner
        runner.run(twins.close())


@pytest.fixture(scope="module")
def twins(twins_and_loop: tuple[Twins, asyncio.Runner]) -> Twins:
    """The two applications."""
    return twins_and_loop[0]


@pytest.fixture(scope="module")
def compare(twins_and_loop: tuple[Twins, asyncio.Runner]) -> Compare:
    """Sends a request to both and fails where they differ."""
    twins, runner = twins_and_loop
    return lambda sent: runner.run(twins.compare(sent))

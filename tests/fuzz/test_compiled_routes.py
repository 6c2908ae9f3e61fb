"""A compiled route does exactly what FastAPI does, whatever comes."""

import os

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.conftest import Compare
from tests.fuzz.declaration import Shape
from tests.fuzz.requests import Sent, requests
from tests.fuzz.shapes import all_shapes
from tests.fuzz.twins import Twins

SEED = int(os.environ.get("XUMI_FUZZ_SEED", "20240229"))
"""Another number finds other requests; a failure prints the one that found it."""

# What has a short deadline would differ whenever the machine is slow; it has a test of its own.
SHAPES = [shape for shape in all_shapes().all if shape.path != "/endless"]
FEW, MANY = 5, 50
"""Requests to each shape."""

every_shape = pytest.mark.parametrize("shape", SHAPES, ids=repr)


def fuzz(shape: Shape, compare: Compare, examples: int, number: int) -> None:
    """Compare so many requests to the shape.

    Raises:
        AssertionError: there is one that is not answered alike; hypothesis shows the simplest.
    """
    print(f"XUMI_FUZZ_SEED={SEED}")

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(shape))
    def run(sent: Sent) -> None:
        compare(sent)

    run()


def test_there_are_shapes_enough() -> None:
    assert len({repr(shape) for shape in SHAPES}) == len(SHAPES) >= 60
    assert len(SHAPES) * FEW >= 600
    assert len(SHAPES) * MANY >= 5000


@every_shape
def test_a_compiled_route_does_what_fastapi_does(shape: Shape, compare: Compare) -> None:
    fuzz(shape, compare, FEW, SEED)


@pytest.mark.slow
@every_shape
def test_a_compiled_route_does_what_fastapi_does_many_times(
    shape: Shape, compare: Compare, twins: Twins
) -> None:
    before = twins.taken[shape.path]
    fuzz(shape, compare, MANY, SEED + 1)
    # Were all left to FastAPI, the comparison would say nothing. No JSON is a UUID for strict eyes.
    if repr(shape) not in twins.compiled.uncompiled and shape.path != "/strict-body":
        assert twins.taken[shape.path] - before >= MANY // 10

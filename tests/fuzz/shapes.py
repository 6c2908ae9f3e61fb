"""All shapes on one router."""

from tests.fuzz.body_shapes import body_shapes
from tests.fuzz.declaration import Shapes
from tests.fuzz.dependency_shapes import dependency_shapes
from tests.fuzz.parameter_shapes import parameter_shapes
from tests.fuzz.response_shapes import response_shapes
from tests.fuzz.struct_shapes import struct_shapes


def all_shapes() -> Shapes:
    """Every endpoint of the fuzz."""
    shapes = Shapes()
    for declare in (parameter_shapes, body_shapes, struct_shapes, dependency_shapes, response_shapes):
        declare(shapes)
    return shapes

"""152 routes that differ in nothing but their path."""

from typing import Annotated

from fastapi import Path

from xumi.kernel import get_router

ROUTES = 152

router = get_router()


async def _answer(number: Annotated[int, Path(ge=0)]) -> dict[str, int]:
    """The number that was asked for."""
    return {"number": number}


for _route in range(ROUTES):
    router.add_api_route(f"/r{_route:03}/{{number}}", _answer, public=True, methods=["GET"])

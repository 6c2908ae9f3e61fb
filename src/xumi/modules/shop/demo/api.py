"""The pictures of the demo's products."""

from fastapi import Response

from xumi.kernel.errors import APICode, APIException
from xumi.kernel.http.router import get_router
from xumi.modules.shop.demo.service.pictures import draw

router = get_router(prefix="/demo/pictures", tags=["demo"])

_HEADERS = {
    "Cache-Control": "public, max-age=86400",
    # Nothing that an SVG could hold runs or is fetched, also where somebody opens it on its own.
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


_PICTURE = {"schema": {"type": "string", "examples": ['<svg xmlns="http://www.w3.org/2000/svg"/>']}}


@router.get(
    "/{name}",
    public=True,
    response_class=Response,
    responses={200: {"description": "The picture.", "content": {"image/svg+xml": _PICTURE}}},
)
async def get_demo_picture(name: str) -> Response:
    """A picture that was drawn from its name, such as `tea-1.svg`."""
    stem, dot, ending = name.rpartition(".")
    if not dot or ending != "svg":
        raise APIException(APICode.NOT_FOUND)
    try:
        picture = draw(stem)
    except ValueError:
        raise APIException(APICode.NOT_FOUND) from None
    return Response(picture, media_type="image/svg+xml", headers=_HEADERS)

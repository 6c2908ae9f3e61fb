"""Products as files, for the staff."""

from typing import Annotated, Any, cast

from fastapi import Query, Request
from starlette.responses import Response, StreamingResponse

from xumi.kernel.db.session import Session
from xumi.kernel.db.sheet import CsvSheet, XlsxSheet
from xumi.kernel.http.router import get_router
from xumi.modules.shop.catalog.constants import MAX_IMPORT_BYTES
from xumi.modules.shop.catalog.schemas.exchange import FileQuery, ImportQuery, ImportResult
from xumi.modules.shop.catalog.service.exchange import download, upload
from xumi.modules.shop.catalog.service.exchange.draft import Upload

router = get_router(prefix="/api/v1/shop/products", tags=["shop-products"])

_FILE: dict[str, Any] = {
    kind: {"schema": {"type": "string", "format": "binary", "examples": [example]}}
    for kind, example in (
        (XlsxSheet.media_type, "an Excel workbook with the same columns"),
        (
            CsvSheet.media_type.partition(";")[0],
            "product_code,name,sku_code,price_fen\nCUP-1,Bamboo cup,CUP-1-RED,2900\n",
        ),
    )
}
_GIVES_FILE: dict[int | str, dict[str, Any]] = {200: {"description": "The file.", "content": _FILE}}


@router.post(
    "/import",
    permission="product:import",
    rate_limit="30/minute",
    body_limit_bytes=MAX_IMPORT_BYTES,
    deadline_seconds=120,
    openapi_extra={"requestBody": {"required": True, "content": _FILE}},
    responses={422: {"description": "The file, with a column that says what is wrong.", "content": _FILE}},
)
async def import_products(
    session: Session, request: Request, query: Annotated[ImportQuery, Query()]
) -> ImportResult:
    """Make and change products by a CSV or XLSX file, which is the body: all of its rows or none.

    One row for each SKU; rows with the same `product_code` are one product. What is there is found by its code and changed, what is not
    is made. If a row is wrong, nothing is done, and the answer is a 422 with the same file, whose column `errors` says why;
    `X-Import-Rows-Wrong` counts the rows. A file that cannot be read is a 422 as usual, in JSON.
    """
    done = await upload.import_products(session, await request.body(), dry_run=query.dry_run)
    if isinstance(done, Upload):
        return cast(ImportResult, download.annotate(done))
    return done


@router.get(
    "/export",
    permission="product:export",
    rate_limit="30/minute",
    response_class=StreamingResponse,
    responses=_GIVES_FILE,
)
async def export_products(query: Annotated[FileQuery, Query()]) -> StreamingResponse:
    """All products with their SKUs as a file, as an import takes it."""
    return await download.export_products(query.format)


@router.get("/import-template", permission="product:import", response_class=Response, responses=_GIVES_FILE)
async def get_import_template(query: Annotated[FileQuery, Query()]) -> Response:
    """A file with the columns of an import and an example."""
    return download.write_template(query.format)

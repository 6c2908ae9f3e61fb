"""Files of products that are sent: the export, the template of an import, and a file with what is wrong with its rows."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from starlette.responses import Response

from xumi.kernel import clock
from xumi.kernel.db.export import ExportResponse, Format, export_response
from xumi.kernel.db.read import primary, reading
from xumi.kernel.db.sheet import CsvSheet, Sheet, XlsxSheet
from xumi.modules.shop.catalog.models import Category, Product, Sku
from xumi.modules.shop.catalog.schemas.exchange import ERRORS_COLUMN, ProductRow
from xumi.modules.shop.catalog.service.exchange.draft import COLUMNS, Upload
from xumi.modules.shop.stock.service.joining import LEVELS

_ROWS = (
    select(
        Product.code.label("product_code"),
        Product.name,
        Product.subtitle,
        Product.category_id,
        Category.name.label("category"),
        Product.state,
        Product.pictures,
        Product.properties,
        Product.description,
        Product.freight_template_id,
        Product.limit_per_user,
        Sku.code.label("sku_code"),
        Sku.options,
        Sku.price_fen,
        Sku.list_price_fen,
        Sku.weight_grams,
        Sku.picture.label("sku_picture"),
        Sku.order,
        Sku.enabled,
        LEVELS.c.available.label("stock"),
        LEVELS.c.low_at,
    )
    .join(Category, Category.id == Product.category_id)
    .outerjoin(Sku, Sku.product_id == Product.id)
    .outerjoin(LEVELS, LEVELS.c.id == Sku.id)
    .order_by(Product.code, Sku.order, Sku.id)
)
_EXAMPLE = {
    "product_code": "CUP-1",
    "name": "Bamboo cup",
    "subtitle": "From Anji",
    "category": "Cups",
    "pictures": "/files/bamboo-cup.webp\n/files/bamboo-cup-2.webp",
    "properties": "Material: Bamboo\nMade in: Anji",
    "description": "<p>Grown in <b>Anji</b>.</p>",
    "enabled": True,
    "weight_grams": 120,
}
_EXAMPLES = (
    _EXAMPLE
    | {"sku_code": "CUP-1-RED", "options": "Colour: red", "price_fen": 2900, "order": 1, "stock": 100},
    {"product_code": "CUP-1", "sku_code": "CUP-1-BLUE", "options": "Colour: blue", "price_fen": 2500},
)


async def export_products(form: Format) -> ExportResponse:
    """All products with their SKUs, as an import takes them."""
    with primary():
        reader, _ = reading()
    return await export_response(reader, _ROWS, (), ProductRow, form)


def write_template(form: Format) -> Response:
    """The columns of an import, with a product of two SKUs."""
    rows = [[example.get(column) for column in COLUMNS] for example in _EXAMPLES]
    return _respond(form, "products-template", COLUMNS, rows)


def annotate(upload: Upload) -> Response:
    """The file as it came, with a column that says what is wrong with each row; 422."""
    width = max(map(len, upload.rows))
    rows = [row + [""] * (width - len(row)) for row in upload.rows]
    kept = [at for at, heading in enumerate(rows[0]) if heading.strip() != ERRORS_COLUMN]
    errors = {line.number: "\n".join(line.errors) for line in upload.lines}
    annotated = [[*(row[at] for at in kept), errors.get(number, "")] for number, row in enumerate(rows, 1)]
    headings = [*annotated[0][:-1], ERRORS_COLUMN]
    response = _respond("xlsx" if upload.xlsx else "csv", "products-errors", headings, annotated[1:], 422)
    response.headers["X-Import-Rows-Wrong"] = str(sum(1 for line in upload.lines if line.errors))
    return response


def _respond(
    form: Format, name: str, headings: Sequence[str], rows: Sequence[Sequence[Any]], status: int = 200
) -> Response:
    sheet: Sheet = XlsxSheet() if form == "xlsx" else CsvSheet()
    content = sheet.begin(headings) + sheet.add(rows) + sheet.end()
    file_name = f"{name}-{clock.now():%Y%m%dT%H%M%SZ}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"', "Cache-Control": "no-store"}
    return Response(content, status, headers, sheet.media_type)

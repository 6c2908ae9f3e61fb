"""The rows of a file as products that somebody wants, and what is wrong with each row. No database has a part in it."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from xumi.kernel.db.sheet_reader import Rows, UnreadableFile, is_xlsx, read_rows
from xumi.kernel.errors import APIException
from xumi.modules.shop.catalog.constants import MAX_IMPORT_ROWS
from xumi.modules.shop.catalog.repository import refuse
from xumi.modules.shop.catalog.schemas.exchange import ERRORS_COLUMN, ProductCells, ProductRow, SkuCells
from xumi.modules.shop.catalog.service.richtext import clean_html

COLUMNS = tuple(ProductRow.model_fields)
_AT = COLUMNS.index("sku_code")
PRODUCT_COLUMNS, SKU_COLUMNS = COLUMNS[1:_AT], COLUMNS[_AT + 1 :]
_FIELDS = {"sku_picture": "picture"}
_NULLABLE = frozenset(("subtitle", "freight_template_id", "limit_per_user", "list_price_fen", "sku_picture"))
_EMPTIED = frozenset(("pictures", "properties", "description", "options"))
# A text that fills a cell of Excel may have been cut off by it.
_EXCEL_CELL_CHARACTERS = 32_767


@dataclass(slots=True)
class Line:
    """A row of the file.

    Attributes:
        number: as spreadsheets count; the headings are row 1.
        cells: by column; those of columns that the file lacks are not there.
        sku: what is said of the SKU, by field.
        errors: what is wrong with the row.
    """

    number: int
    cells: dict[str, str]
    sku: dict[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def sku_code(self) -> str:
        """Empty where the row is of a product without SKUs."""
        return self.cells.get("sku_code", "").strip()


@dataclass(slots=True)
class Draft:
    """A product that somebody wants: `values` by field, and its rows."""

    code: str
    lines: list[Line]
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Upload:
    """A file that was read.

    Attributes:
        xlsx: else it is CSV.
        rows: all of it, headings first.
        lines: the rows that say something.
        drafts: what they want.
    """

    xlsx: bool
    rows: Rows
    lines: list[Line] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)


def read_upload(data: bytes) -> Upload:
    """Make products of a file.

    Raises:
        APIException: VALIDATION_FAILED (`file`): it cannot be read, is too large, or its headings are not those of a list of
            products.
    """
    try:
        rows = read_rows(data, MAX_IMPORT_ROWS + 1)
    except UnreadableFile as error:
        raise refuse("file", str(error)) from error
    upload = Upload(is_xlsx(data), rows)
    headings = _read_headings(rows)
    for number, row in enumerate(rows[1:], 2):
        if any(row):
            upload.lines.append(_read_line(number, headings, row))
    upload.drafts = _group(upload.lines)
    for draft in upload.drafts:
        _read_product(draft, upload.xlsx)
        for line in draft.lines:
            _read_sku(line)
    return upload


def _read_headings(rows: Rows) -> list[str]:
    headings = [cell.strip() for cell in rows[0]] if rows else []
    if "product_code" not in headings:
        raise refuse("file", "its first row must name the columns, product_code among them")
    named = [heading for heading in headings if heading]
    if unknown := [heading for heading in named if heading not in (*COLUMNS, ERRORS_COLUMN)]:
        raise refuse("file", f"{unknown[0][:100]!r} is not one of the columns {', '.join(COLUMNS)}")
    if len(set(named)) < len(named):
        raise refuse("file", "a column comes twice")
    return headings


def _read_line(number: int, headings: list[str], row: list[str]) -> Line:
    line = Line(number, dict.fromkeys(headings, ""))
    line.cells.update(zip(headings, row, strict=False))
    if line.cells.pop("", "") or any(row[len(headings) :]):
        line.errors.append("a cell has no heading above it")
    return line


def _group(lines: list[Line]) -> list[Draft]:
    """The rows with the same code are one product, wherever they stand."""
    drafts: dict[str, Draft] = {}
    seen: set[str] = set()
    for line in lines:
        code, sku_code = line.cells["product_code"].strip(), line.sku_code
        if code:
            drafts.setdefault(code, Draft(code, [])).lines.append(line)
        else:
            line.errors.append("product_code: is missing")
        if sku_code in seen:
            line.errors.append("sku_code: comes twice")
        elif sku_code:
            seen.add(sku_code)
    return list(drafts.values())


def _read_product(draft: Draft, xlsx: bool) -> None:
    """The first row says what the product is; the others say the same or nothing."""
    first = draft.lines[0]
    for line in draft.lines[1:]:
        for column in PRODUCT_COLUMNS:
            cell = line.cells.get(column, "")
            if cell and cell != first.cells[column]:
                line.errors.append(f"{column}: is not what row {first.number} says of the same product")
    values = {"code": draft.code, **_given(first, PRODUCT_COLUMNS)}
    if xlsx and len(values.get("description", "")) >= _EXCEL_CELL_CHARACTERS:
        first.errors.append("description: is as long as a cell can be and may be cut off; use CSV")
    draft.values = _validate(first, ProductCells, values, {"code": "product_code"})
    if "description" in draft.values:
        try:
            draft.values["description"] = clean_html(draft.values["description"])
        except APIException as error:
            first.errors += [f"description: {each.reason}" for each in error.errors]


def _read_sku(line: Line) -> None:
    values = _given(line, SKU_COLUMNS)
    if not line.sku_code:
        if any(line.cells.get(column) for column in SKU_COLUMNS):
            line.errors.append("sku_code: is missing")
        return
    line.sku = _validate(line, SkuCells, {"code": line.sku_code, **values}, {"code": "sku_code"})


def _given(line: Line, columns: tuple[str, ...]) -> dict[str, Any]:
    """What the cells of a row say, by field."""
    given: dict[str, Any] = {}
    for column in columns:
        cell = line.cells.get(column)
        if cell is None:
            continue
        name = _FIELDS.get(column, column)
        if cell.strip():
            given[name] = cell
        elif column in _NULLABLE:
            given[name] = None
        elif column in _EMPTIED:
            given[name] = ""
    return given


def _validate(
    line: Line, schema: type[BaseModel], values: dict[str, Any], names: dict[str, str]
) -> dict[str, Any]:
    """The values as the schema takes them; what it refuses is noted and left out."""
    columns = {name: column for column, name in _FIELDS.items()} | names
    try:
        return schema.model_validate(values).model_dump(exclude_unset=True)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            name = str(each["loc"][0]) if each["loc"] else "row"
            line.errors.append(f"{columns.get(name, name)}: {each['msg']}")
        return {}

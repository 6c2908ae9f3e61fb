"""Files of rows, made piece by piece: CSV, and XLSX without a library.

An XLSX file is a ZIP archive of a few XML files, and both can be written from front to back, so that a file of any size needs
the memory of one batch and no temporary file. Texts stand inline in their cells; Excel turns them into its own form when it
saves. Format: ECMA-376, part 1, sections 12.3 and 18.3.
"""

import csv
import io
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Protocol
from uuid import UUID
from xml.sax.saxutils import escape

import msgspec

# A sheet of Excel ends here; more rows go to further sheets.
MAX_SHEET_ROWS = 1_048_576
# Excel computes with 15 digits; longer numbers are written as texts, so that none is lost.
_MAX_DIGITS = 15
_MAX_INT = 10**_MAX_DIGITS
_MAX_CELL_CHARACTERS = 32_767

# Spreadsheets run a text that begins like this as a formula; see OWASP, "CSV Injection".
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# XML 1.0 has no way to write these.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile("[&<>\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)

Row = Sequence[Any]


class Sheet(Protocol):
    """A file under way. Each call returns the bytes that are ready."""

    media_type: str

    def begin(self, headings: Sequence[str]) -> bytes:
        """Start the file with a row of headings."""
        ...

    def add(self, rows: Iterable[Row]) -> bytes:
        """Append rows."""
        ...

    def end(self) -> bytes:
        """Finish the file; also to be called for one that is given up."""
        ...


def to_text(value: Any) -> str:
    """A value as the API would write it; None is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return to_text(value.value)
    if isinstance(value, int | float | Decimal | UUID):
        return str(value)
    text: str = msgspec.json.encode(value, enc_hook=str).decode()
    return text[1:-1] if isinstance(value, date | time | timedelta) else text


class CsvSheet:
    """CSV in UTF-8 with the mark that makes Excel read it as such."""

    media_type = "text/csv; charset=utf-8"

    def __init__(self) -> None:
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer)

    def begin(self, headings: Sequence[str]) -> bytes:
        """The headings behind the byte order mark."""
        self._writer.writerow([_guarded(heading) for heading in headings])
        return b"\xef\xbb\xbf" + self._taken()

    def add(self, rows: Iterable[Row]) -> bytes:
        """The rows."""
        self._writer.writerows([[_to_csv(value) for value in row] for row in rows])
        return self._taken()

    def end(self) -> bytes:
        """Nothing follows."""
        return b""

    def _taken(self) -> bytes:
        text = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return text.encode("utf-8", "replace")


def _to_csv(value: Any) -> Any:
    kind = type(value)
    if kind is int or kind is float or kind is Decimal:
        return value
    return _guarded(value if kind is str else to_text(value))


def _guarded(text: str) -> str:
    # One that has apostrophes before a formula gets one more, so that whoever reads the file can take one away again.
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


class _Pipe(io.RawIOBase):
    """A file that can only be written; what was written is taken away from time to time."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


class XlsxSheet:
    """XLSX: texts, numbers, true and false, and times in UTC as cells of their kind."""

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(self, max_rows: int = MAX_SHEET_ROWS) -> None:
        self._pipe = _Pipe()
        self._archive = zipfile.ZipFile(self._pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._max_rows = max_rows
        self._headings: Sequence[str] = ()
        self._columns: list[str] = []
        self._sheets = 0
        self._row = 0
        self._part: Any = None

    def begin(self, headings: Sequence[str]) -> bytes:
        """Open the first sheet."""
        self._headings = headings
        self._columns = [_column_name(index) for index in range(len(headings))]
        self._open_sheet()
        return self._pipe.taken()

    def add(self, rows: Iterable[Row]) -> bytes:
        """The rows; a new sheet with the same headings begins where one is full."""
        lines: list[str] = []
        for row in rows:
            if self._row >= self._max_rows:
                self._write(lines)
                lines = []
                self._close_sheet()
                self._open_sheet()
            self._row += 1
            lines.append(self._line(row))
        self._write(lines)
        return self._pipe.taken()

    def end(self) -> bytes:
        """Close the last sheet and list them all."""
        if not self._part.closed:
            self._close_sheet()
            for name, text in _frame(self._sheets).items():
                self._archive.writestr(name, text)
            self._archive.close()
        return self._pipe.taken()

    def _open_sheet(self) -> None:
        self._sheets += 1
        self._row = 1
        self._part = self._archive.open(f"xl/worksheets/sheet{self._sheets}.xml", "w", force_zip64=True)
        self._write([_SHEET_START, self._line(self._headings)])

    def _close_sheet(self) -> None:
        self._write([_SHEET_END])
        self._part.close()

    def _write(self, lines: Sequence[str]) -> None:
        self._part.write("".join(lines).encode())

    def _line(self, row: Row) -> str:
        number = str(self._row)
        cells = [
            _WRITERS.get(type(value), _write_other)(column + number, value)
            for column, value in zip(self._columns, row, strict=True)
            if value is not None
        ]
        return f'<row r="{number}">{"".join(cells)}</row>'


def _column_name(index: int) -> str:
    """A, B, …, Z, AA, …"""
    name = ""
    while index >= 0:
        index, letter = divmod(index, 26)
        name = chr(ord("A") + letter) + name
        index -= 1
    return name


def _write_text(place: str, value: str) -> str:
    if len(value) > _MAX_CELL_CHARACTERS:
        value = value[:_MAX_CELL_CHARACTERS]
    if _SPECIAL.search(value):
        value = escape(_UNWRITABLE.sub("\ufffd", value))
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'


def _write_int(place: str, value: int) -> str:
    return f'<c r="{place}"><v>{value}</v></c>' if abs(value) < _MAX_INT else _write_text(place, str(value))


def _write_float(place: str, value: float) -> str:
    return f'<c r="{place}"><v>{value!r}</v></c>' if math.isfinite(value) else _write_text(place, str(value))


def _write_decimal(place: str, value: Decimal) -> str:
    if value.is_finite() and len(value.as_tuple().digits) <= _MAX_DIGITS:
        return f'<c r="{place}"><v>{value}</v></c>'
    return _write_text(place, str(value))


def _write_bool(place: str, value: bool) -> str:
    return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'


def _write_datetime(place: str, value: datetime) -> str:
    if value.tzinfo is None or value.year < 1901:
        return _write_text(place, to_text(value))
    days = (value - _EPOCH) / timedelta(days=1)
    return f'<c r="{place}" s="1"><v>{days!r}</v></c>'


def _write_date(place: str, value: date) -> str:
    if value.year < 1901:
        return _write_text(place, to_text(value))
    return f'<c r="{place}" s="2"><v>{(value - _EPOCH.date()).days}</v></c>'


def _write_other(place: str, value: Any) -> str:
    if isinstance(value, Enum):
        return _WRITERS.get(type(value.value), _write_other)(place, value.value)
    return _write_text(place, to_text(value))


_WRITERS: dict[type, Callable[[str, Any], str]] = {
    str: _write_text,
    int: _write_int,
    float: _write_float,
    Decimal: _write_decimal,
    bool: _write_bool,
    datetime: _write_datetime,
    date: _write_date,
}

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# The first row stays in sight.
_SHEET_START = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" '
    'activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
)
_SHEET_END = "</sheetData></worksheet>"
# Cell formats: 0 plain, 1 a time in UTC, 2 a date.
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss&quot;Z&quot;"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd"/></numFmts>'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="3">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def _frame(sheets: int) -> dict[str, str]:
    """The files around the sheets, which say what belongs to what."""
    numbers = range(1, sheets + 1)
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        for n in numbers
    )
    listed = "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    return {
        "xl/workbook.xml": f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>',
        "xl/styles.xml": _STYLES,
        "xl/_rels/workbook.xml.rels": f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{related}<Relationship '
        f'Id="rId{sheets + 1}" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        "_rels/.rels": f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "[Content_Types].xml": f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        f'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>{types}</Types>',
    }

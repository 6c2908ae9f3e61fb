"""Files of rows that somebody sends, read within limits: CSV, and the first sheet of an XLSX file, without a library.

Every cell becomes a text. A hostile file is refused, never believed: what it unpacks to, its rows, columns and cells are counted
while they are read. (Libraries make room for a whole sheet at once: a file of one kilobyte with one cell at XFD1048576 asks for
550 GB and ends the process.) A formula is not run: its cell has the value that the program saved with it.
Format: ECMA-376, part 1, sections 12.3 and 18.
"""

import csv
import io
import posixpath
import re
import zipfile
import zlib
from decimal import Decimal, InvalidOperation
from typing import TypeVar
from xml.parsers import expat

from xumi.kernel.db.sheet import FORMULA

Rows = list[list[str]]

# What the parts of an XLSX file that are read may unpack to together.
MAX_UNPACKED_BYTES = 32 * 1024 * 1024
# More columns are no list of things.
MAX_COLUMNS = 100
MAX_CELL_CHARACTERS = 100_000
_PIECE = 65_536
_PLACE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")


class UnreadableFile(Exception):
    """The file cannot be taken; the message says why, for whoever sent it."""


def is_xlsx(data: bytes) -> bool:
    """Whether the file is no CSV: XLSX files are ZIP archives."""
    return data.startswith(b"PK\x03\x04")


def read_rows(data: bytes, max_rows: int) -> Rows:
    """The rows of a file; those at its end that are empty are left out, and those inside are `[]`.

    Raises:
        UnreadableFile: it is neither CSV nor XLSX, or larger than the limits.
    """
    rows = _read_xlsx(data, max_rows) if is_xlsx(data) else _read_csv(data, max_rows)
    for row in rows:
        while row and not row[-1]:
            row.pop()
    while rows and not rows[-1]:
        rows.pop()
    return rows


def _too_many_rows(max_rows: int) -> UnreadableFile:
    return UnreadableFile(f"there are more than {max_rows} rows")


def _read_csv(data: bytes, max_rows: int) -> Rows:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What Excel saves on a Chinese Windows.
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError as error:
            raise UnreadableFile("it is neither CSV in UTF-8 or GB 18030 nor XLSX") from error
    rows: Rows = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            if len(rows) >= max_rows:
                raise _too_many_rows(max_rows)
            if len(row) > MAX_COLUMNS:
                raise UnreadableFile(f"row {len(rows) + 1} has more than {MAX_COLUMNS} columns")
            rows.append([_unguarded(cell) for cell in row])
    except csv.Error as error:
        raise UnreadableFile(f"row {len(rows) + 1} is not CSV: {error}") from error
    if "\0" in text:
        raise UnreadableFile("it holds the character NUL")
    return rows


def _unguarded(cell: str) -> str:
    """The text that `CsvSheet` put an apostrophe before, lest a spreadsheet runs it."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell


def _read_xlsx(data: bytes, max_rows: int) -> Rows:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            package = _Package(archive)
            sheet, strings = package.find_parts()
            texts = package.read(strings, _Strings()).texts if strings else []
            return package.read(sheet, _Cells(texts, max_rows)).rows
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise UnreadableFile("the XLSX file is damaged, or has a password") from error
    except expat.ExpatError as error:
        raise UnreadableFile(f"the XLSX file is damaged: {error}") from error


class _Part:
    """What is made of one XML part while it is read."""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def add(self, text: str) -> None:
        """Text inside the present element."""


PartT = TypeVar("PartT", bound=_Part)


class _Elements(_Part):
    """The attributes of all elements of one name, in order."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self.found: list[dict[str, str]] = []

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == self.wanted:
            self.found.append(attributes)


class _Text(_Part):
    """Collects the text of elements, which comes in pieces."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.length = 0
        self.taking = False

    def start(self) -> None:
        """A new text begins."""
        self.pieces, self.length = [], 0

    def add(self, text: str) -> None:
        if self.taking:
            self.length += len(text)
            if self.length > MAX_CELL_CHARACTERS:
                raise UnreadableFile(f"a cell has more than {MAX_CELL_CHARACTERS} characters")
            self.pieces.append(text)


class _Strings(_Text):
    """The table of texts that cells refer to. A text may be in runs with fonts of their own; how it is read aloud is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._aloud = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "si":
            self.start()
        elif name == "rPh":
            self._aloud = True
        self.taking = name == "t" and not self._aloud

    def end(self, name: str) -> None:
        self.taking = False
        if name == "rPh":
            self._aloud = False
        elif name == "si":
            self.texts.append("".join(self.pieces))


class _Cells(_Text):
    """The rows of a sheet. A row or a cell without a place stands behind the one before."""

    def __init__(self, texts: list[str], max_rows: int) -> None:
        super().__init__()
        self.rows: Rows = []
        self._texts, self._max_rows = texts, max_rows
        self._column, self._kind = 0, ""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self.taking = name in ("v", "t")
        if name == "row":
            number = attributes.get("r", "")
            self._begin_row(int(number) if number.isdecimal() and len(number) < 10 else len(self.rows) + 1)
        elif name == "c":
            self.start()
            self._kind = attributes.get("t", "n")
            self._column = self._find_column(attributes.get("r", ""))
            if not self.rows or self._column > MAX_COLUMNS:
                raise UnreadableFile(f"row {len(self.rows)} has more than {MAX_COLUMNS} columns")

    def _begin_row(self, number: int) -> None:
        if number > self._max_rows:
            raise _too_many_rows(self._max_rows)
        if number <= len(self.rows):
            raise UnreadableFile(f"row {number} comes twice")
        self.rows += [[] for _ in range(number - len(self.rows))]
        self._column = 0

    def _find_column(self, place: str) -> int:
        """From 1; the row of a cell is the one that it stands in."""
        found = _PLACE.fullmatch(place)
        if found is None:
            return self._column + 1
        column = 0
        for letter in found[1]:
            column = column * 26 + ord(letter) - ord("A") + 1
        return column

    def end(self, name: str) -> None:
        self.taking = False
        if name == "c":
            row = self.rows[-1]
            row += [""] * (self._column - len(row))
            row[self._column - 1] = self._value("".join(self.pieces))

    def _value(self, text: str) -> str:
        if self._kind == "s":
            at = int(text) if text.isdecimal() and len(text) < 10 else len(self._texts)
            if at >= len(self._texts):
                raise UnreadableFile("the XLSX file is damaged: a cell refers to no text")
            return self._texts[at]
        if self._kind == "b":
            return "true" if text == "1" else "false"
        return _plain_number(text) if self._kind == "n" else text


def _plain_number(text: str) -> str:
    """2900 for 2900.0 and for 2.9E3, as it was typed."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > 30:
        return text
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


class _Package:
    """The parts of an XLSX file."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = set(archive.namelist())
        self._left = MAX_UNPACKED_BYTES

    def find_parts(self) -> tuple[str, str | None]:
        """The names of the first sheet, and of the table of texts if there is one."""
        if "xl/workbook.xml" not in self._names:
            raise UnreadableFile("the archive holds no XLSX file")
        sheets = self.read("xl/workbook.xml", _Elements("sheet")).found
        related = self.read("xl/_rels/workbook.xml.rels", _Elements("Relationship")).found
        parts = {each.get("Id"): posixpath.join("/xl", each.get("Target", ""))[1:] for each in related}
        strings = [
            parts[each.get("Id")] for each in related if each.get("Type", "").endswith("/sharedStrings")
        ]
        sheet = parts.get(sheets[0].get("id")) if sheets else None
        if sheet is None:
            raise UnreadableFile("the XLSX file has no sheet")
        return sheet, strings[0] if strings else None

    def read(self, name: str, part: PartT) -> PartT:
        """A part, made of what its XML says."""
        if name not in self._names:
            raise UnreadableFile(f"the XLSX file is damaged: it lacks {name}")
        parser = _make_parser(part)
        with self._archive.open(name) as file:
            while piece := file.read(_PIECE):
                self._left -= len(piece)
                if self._left < 0:
                    raise UnreadableFile(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
                parser.Parse(piece)
        parser.Parse(b"", True)
        return part


def _make_parser(part: _Part) -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def begin(name: str, attributes: dict[str, str]) -> None:
        part.begin(_local(name), {_local(key): value for key, value in attributes.items()})

    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda name: part.end(_local(name))
    parser.CharacterDataHandler = part.add
    # No entities: they are how a small text becomes a large one.
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _refuse_doctype(*_: object) -> None:
    raise UnreadableFile("the XLSX file is damaged: it declares a document type")

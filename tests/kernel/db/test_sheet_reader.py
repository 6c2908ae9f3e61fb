"""Files of rows are read as they were written, and hostile ones are refused within bounds."""

import io
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xumi.kernel.db.sheet import CsvSheet, Sheet, XlsxSheet
from xumi.kernel.db.sheet_reader import MAX_UNPACKED_BYTES, UnreadableFile, read_rows

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def write(sheet: Sheet, rows: list[list[Any]]) -> bytes:
    """A file of these rows, headings first."""
    return sheet.begin(rows[0]) + sheet.add(rows[1:]) + sheet.end()


def make_xlsx(rows: str, **parts: str | bytes) -> bytes:
    """An XLSX file whose first sheet holds this XML; `parts` replace others, `strings` and `workbook` among them."""
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Type="x/worksheet" Target="/xl/worksheets/other.xml"/>'
        '<Relationship Id="rId2" Type="x/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    )
    workbook = (
        f'<workbook xmlns="{MAIN}" xmlns:r="r"><sheets><sheet name="A" r:id="rId1"/></sheets></workbook>'
    )
    texts = f'<sst xmlns="{MAIN}"><si><t>one</t></si><si><r><t>t</t></r><r><t>wo</t></r><rPh><t>!</t></rPh></si></sst>'
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    content: dict[str, str | bytes] = {
        "xl/workbook.xml": workbook,
        "xl/_rels/workbook.xml.rels": relations,
        "xl/sharedStrings.xml": texts,
        "xl/worksheets/other.xml": sheet,
    } | parts
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return file.getvalue()


_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
)


@given(st.lists(st.lists(_TEXT, min_size=3, max_size=3), min_size=1, max_size=5))
@settings(max_examples=50)
def test_texts_come_back_as_they_were(rows: list[list[str]]) -> None:
    def trim(row: list[str]) -> list[str]:
        return trim(row[:-1]) if row and not row[-1] else row

    expected = [trim(row) for row in rows]
    while expected and not expected[-1]:
        expected.pop()
    for sheet in (CsvSheet(), XlsxSheet()):
        assert read_rows(write(sheet, rows), 10) == expected


@pytest.mark.parametrize(
    "text", ["=1", "'=1", "''=1", "+1", "-1", "@a", "\t=", "'", "''", "'a", "a=1", "=", "'+"]
)
def test_guarded_texts_come_back(text: str) -> None:
    content = write(CsvSheet(), [["a"], [text]])
    assert read_rows(content, 10) == [["a"], [text]]
    assert not content.decode("utf-8-sig").splitlines()[1].startswith(("=", "+", "-", "@", "\t"))


def test_kinds_of_cells() -> None:
    rows = (
        '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c><c><v>2.9E3</v></c><c><v>0.10</v></c></row>'
        '<row><c t="b"><v>1</v></c><c t="str"><f>A2&amp;"x"</f><v>onex</v></c><c t="e"><v>#N/A</v></c>'
        '<c t="inlineStr"><is><t>a</t></is></c><c><f>1+1</f><v>2</v></c></row><row r="9"/>'
    )
    assert read_rows(make_xlsx(rows), 10) == [
        [],
        ["one", "", "two", "2900", "0.1"],
        ["true", "onex", "#N/A", "a", "2"],
    ]


def test_csv_of_a_chinese_windows() -> None:
    assert read_rows("名称,价格\r\n白瓷杯,1\r\n".encode("gb18030"), 10) == [["名称", "价格"], ["白瓷杯", "1"]]


_DOCTYPE = f'<!DOCTYPE a [<!ENTITY b "{"b" * 100}">]>'
_LAUGHS = f'{_DOCTYPE}<sst xmlns="{MAIN}"><si><t>&b;</t></si></sst>'
_CELL = "<c><v>1</v></c>"
HOSTILE = {
    "a far cell": make_xlsx(
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"/></row>'
    ),
    "a far column": make_xlsx('<row r="1"><c r="XFD1"><v>1</v></c></row>'),
    "many columns": make_xlsx(f'<row r="1">{_CELL * 101}</row>'),
    "many rows": make_xlsx("<row/>" * 11),
    "a cell outside a row": make_xlsx(_CELL),
    "a row twice": make_xlsx('<row r="2"/><row r="1"/>'),
    "no such text": make_xlsx('<row><c t="s"><v>2</v></c></row>'),
    "a long cell": make_xlsx(f'<row><c t="str"><v>{"x" * 200_000}</v></c></row>'),
    "a bomb": make_xlsx("", **{"xl/worksheets/other.xml": b" " * (MAX_UNPACKED_BYTES + 1)}),
    "entities": make_xlsx("", **{"xl/sharedStrings.xml": _LAUGHS}),
    "broken XML": make_xlsx("<row>"),
    "no sheet": make_xlsx("", **{"xl/workbook.xml": "<workbook/>"}),
    "a sheet that is not there": make_xlsx("", **{"xl/_rels/workbook.xml.rels": "<a/>"}),
    "another archive": make_xlsx("")[:-40],
    "not even an archive": b"PK\x03\x04" + b"\0" * 100,
    "no text": b"\xff\xfe\xff\x80\x00",
    "quotes": b'a,"b\n',
    "NUL": b"a,\0\n",
    "rows of CSV": b"a\n" * 11,
    "columns of CSV": b"," * 100,
    "a long cell of CSV": b"x" * 200_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name: str) -> None:
    with pytest.raises(UnreadableFile):
        read_rows(HOSTILE[name], 10)


def test_a_part_that_lies_about_its_size_is_refused() -> None:
    honest = make_xlsx("<row>" + _CELL * 50 + "</row>")
    at = honest.index(b"PK\x01\x02", honest.index(b"xl/worksheets/other.xml") + 30)
    while honest[at + 46 : at + 69] != b"xl/worksheets/other.xml":
        at = honest.index(b"PK\x01\x02", at + 4)
    # The uncompressed size in the central directory.
    lying = honest[: at + 24] + (10).to_bytes(4, "little") + honest[at + 28 :]
    with pytest.raises(UnreadableFile):
        read_rows(lying, 10)
    assert len(read_rows(honest, 10)[0]) == 50

"""Lists as files: what is in them, and that nothing is held longer or larger than needed."""

import asyncio
import csv
import io
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import Field
from sqlalchemy import Text, cast, func, insert, select, text
from starlette.responses import StreamingResponse

from tests.kernel.db.library import BOOKS, BookLoud, BookOut, BookShort, make_books
from tests.kernel.db.tables import Author, Book, Color, Seat
from tests.siege.scale import is_full, scaled
from xumi.kernel.context import Context
from xumi.kernel.db import export, read
from xumi.kernel.db.engine import Database
from xumi.kernel.db.query import PaginateRequest, paginate_query
from xumi.kernel.db.read import fetch_value
from xumi.kernel.db.sheet import CsvSheet, Sheet, XlsxSheet
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.schema import SchemaBase

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


class SeatOut(SchemaBase):
    """A seat, with a heading for people."""

    row: str = Field(title="Row, or aisle")
    number: int = Field(serialization_alias="no")


async def download(statement: Any, schema: Any, form: str, **options: Any) -> tuple[StreamingResponse, bytes]:
    """The response and its body."""
    request = PaginateRequest(export=form, size=3, sort=options.pop("sort", None))
    response: Any = await paginate_query(statement, request, schema, **options)
    body = b"".join([chunk async for chunk in response.body_iterator])
    return response, body


def read_csv(body: bytes) -> list[list[str]]:
    """The rows of a CSV file."""
    assert body.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))


def read_xlsx(body: bytes) -> list[list[list[Any]]]:
    """The sheets of an XLSX file; a cell is `(type, style, text)` or None."""
    sheets = []
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert {"[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/styles.xml"} <= names
        for name in names:
            ElementTree.fromstring(archive.read(name))
        workbook = ElementTree.fromstring(archive.read("xl/workbook.xml"))
        for number in range(1, len(workbook.findall(f".//{MAIN}sheet")) + 1):
            tree = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
            sheets.append([[_cell(cell) for cell in row] for row in tree.iter(f"{MAIN}row")])
    return sheets


def _cell(cell: ElementTree.Element) -> tuple[str | None, str | None, str]:
    return cell.get("t"), cell.get("s"), "".join(cell.itertext())


async def test_csv_holds_all_matching_rows_in_the_order_asked(books: Database, work: Context) -> None:
    work.route = "/api/v1/library/books/query"
    response, body = await download(
        select(Book).where(Book.public), BookShort, "csv", sort="-title", sortable=[Book.title]
    )
    rows = read_csv(body)
    assert rows[0] == ["authorId", "title", "note", "marks"]
    titles = sorted((book.title for book in make_books(BOOKS) if book.public), reverse=True)
    assert [row[1] for row in rows[1:]] == titles
    assert response.media_type == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"].startswith('attachment; filename="books-20')
    assert response.headers["content-disposition"].endswith('Z.csv"')


async def test_values_are_written_as_the_api_writes_them(books: Database) -> None:
    _, body = await download(select(Book).order_by(Book.id), BookOut, "csv")
    header, *rows = read_csv(body)
    page: Any = await paginate_query(select(Book).order_by(Book.id), PaginateRequest(size=100), BookOut)
    for row, item in zip(rows, page.items, strict=True):
        values = dict(zip(header, row, strict=True))
        assert values["color"] == item.color.value
        assert values["public"] == str(item.public).lower()
        assert values["price"] == ("" if item.price is None else str(item.price))
        assert values["created_at"] == item.created_at.isoformat().replace("+00:00", "Z")
        assert values["code"] == ("" if item.code is None else str(item.code))
        assert values["printed_on"] == ("" if item.printed_on is None else item.printed_on.isoformat())
        assert (values["data"] == "") is (item.data is None)


async def test_a_schema_with_rules_of_its_own_applies_them(books: Database) -> None:
    _, body = await download(select(Book).order_by(Book.id), BookLoud, "csv")
    header, first, *_ = read_csv(body)
    book = make_books(1)[0]
    assert header == ["id", "title", "pages", "length"]
    assert first == [book.id, book.title.upper(), f"{book.pages or 0} pages", str(len(book.title))]


async def test_xlsx_holds_the_same_rows(books: Database) -> None:
    response, body = await download(select(Book).order_by(Book.id), BookOut, "xlsx")
    [[header, *rows]] = read_xlsx(body)
    assert [text for _, _, text in header] == list(BookOut.model_fields)
    assert [row[0][2] for row in rows] == [book.id for book in make_books(BOOKS)]
    assert response.headers["content-disposition"].endswith('Z.xlsx"')


async def test_an_empty_list_is_a_file_with_headings(books: Database) -> None:
    _, body = await download(select(Seat), SeatOut, "csv")
    assert read_csv(body) == [["Row, or aisle", "no"]]
    _, body = await download(select(Seat), SeatOut, "xlsx")
    assert [[text for _, _, text in row] for row in read_xlsx(body)[0]] == [["Row, or aisle", "no"]]


@pytest.mark.parametrize("kind", [CsvSheet, XlsxSheet])
def test_hostile_texts_stay_texts(kind: type[Sheet]) -> None:
    texts = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "a,b",
        'a"b',
        "a\nb",
        "<&>",
        "\x00\x01\x0b",
        "\ud800",
        "",
        " a ",
        "]]>",
        "x" * 40_000,
    ]
    sheet = kind()
    body = sheet.begin(["=head"]) + sheet.add([[text] for text in texts]) + sheet.end()
    if kind is CsvSheet:
        found = [row[0] if row else "" for row in read_csv(body)]
        assert found[:6] == ["'=head", "'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1"]
        assert found[7:11] == ["a,b", 'a"b', "a\nb", "<&>"]
        return
    [cells] = read_xlsx(body)
    assert {cell[0][0] for cell in cells} == {"inlineStr"}
    found = [cell[0][2] for cell in cells]
    assert found[:5] == ["=head", "=1+1", "+1", "-1", "@SUM(A1)"]
    assert found[10:15] == ["<&>", "\ufffd\ufffd\ufffd", "\ufffd", "", " a "]
    assert len(found[-1]) == 32_767


def test_cells_of_xlsx_have_their_kind() -> None:
    here = timezone(timedelta(hours=8))
    row = [
        1, -5, 10**15, 0.1, float("nan"), Decimal("1.10"), Decimal("123456789012345.6"), True, None,
        datetime(2026, 1, 31, 20, 0, tzinfo=here), date(2026, 1, 31), datetime(1850, 1, 1, tzinfo=UTC), Color.RED, {"a": [1]},
    ]  # fmt: skip
    sheet = XlsxSheet()
    body = sheet.begin([str(n) for n in range(len(row))]) + sheet.add([row]) + sheet.end()
    [[_, cells]] = read_xlsx(body)
    assert cells == [
        (None, None, "1"), (None, None, "-5"), ("inlineStr", None, str(10**15)), (None, None, "0.1"), ("inlineStr", None, "nan"),
        (None, None, "1.10"), ("inlineStr", None, "123456789012345.6"), ("b", None, "1"), (None, "1", "46053.5"),
        (None, "2", "46053"), ("inlineStr", None, "1850-01-01T00:00:00Z"), ("inlineStr", None, "red"), ("inlineStr", None, '{"a":[1]}'),
    ]  # fmt: skip


def test_a_full_sheet_goes_on_in_the_next() -> None:
    sheet = XlsxSheet(max_rows=4)
    body = sheet.begin(["n"])
    for number in range(0, 10, 5):
        body += sheet.add([[n] for n in range(number, number + 5)])
    body += sheet.end()
    found = [[row[0][2] for row in rows] for rows in read_xlsx(body)]
    assert found == [["n", "0", "1", "2"], ["n", "3", "4", "5"], ["n", "6", "7", "8"], ["n", "9"]]


def test_columns_beyond_z_are_named() -> None:
    sheet = XlsxSheet()
    body = sheet.begin(["x"] * 800) + sheet.end()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        text = archive.read("xl/worksheets/sheet1.xml").decode()
    for name in ("A1", "Z1", "AA1", "AZ1", "ZZ1", "AAA1"):
        assert f'r="{name}"' in text


async def fill_seats(database: Database, count: int) -> None:
    """Many small rows."""
    async with database.engine.begin() as connection:
        for start in range(0, count, 5000):
            rows = [
                {"id": f"{n:026}", "row": "r", "number": n} for n in range(start, min(start + 5000, count))
            ]
            await connection.execute(insert(Seat), rows)


async def test_rows_come_in_batches_while_the_client_reads(
    books: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill_seats(books, 5000)
    monkeypatch.setattr(export, "BATCH_ROWS", 100)
    response: Any = await paginate_query(select(Seat), PaginateRequest(export="csv"), SeatOut)
    sizes = [chunk.count(b"\n") async for chunk in response.body_iterator]
    assert sum(sizes) == 5001
    assert max(sizes) <= 101


SCOPE = {"type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET", "path": "/", "headers": []}


async def leave(response: Any, after: int) -> None:
    """Run a response as a server does whose client goes away after so many messages."""
    count = 0

    async def receive() -> Any:
        while count < after:
            await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal count
        count += 1
        await asyncio.sleep(0.001)

    await response(SCOPE, receive, send)


async def test_a_client_that_leaves_frees_the_connection(
    books: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill_seats(books, 5000)
    monkeypatch.setattr(export, "BATCH_ROWS", 100)
    for after in (0, 1, 3):
        for form in ("csv", "xlsx"):
            response: Any = await paginate_query(select(Seat), PaginateRequest(export=form), SeatOut)
            await leave(response, after)
            assert books.read._export_room._value == read.MAX_EXPORTS
    async with books.engine.begin() as connection:
        await connection.execute(insert(Seat), {"id": "x", "row": "x", "number": 1})
    if books.dialect == "postgresql":
        await asyncio.sleep(0.1)
        question = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        assert await fetch_value(text(question).columns(Seat.number)) == 0


async def test_a_client_that_takes_nothing_is_given_up(
    books: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "SEND_TIMEOUT_SECONDS", 0.05)
    response: Any = await paginate_query(select(Author), PaginateRequest(export="csv"), AuthorName)

    async def receive() -> Any:
        await asyncio.sleep(3600)

    async def send(message: Any) -> None:
        await asyncio.sleep(3600)

    with pytest.raises(BaseException) as caught:
        await response(SCOPE, receive, send)
    assert "Timeout" in repr(caught.value)
    assert books.read._export_room._value == read.MAX_EXPORTS


class AuthorName(SchemaBase):
    """An author's name."""

    name: str


async def test_only_so_many_files_at_once(books: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "EXPORT_WAIT_SECONDS", 0.05)
    ask = PaginateRequest(export="csv")
    under_way: list[Any] = [
        await paginate_query(select(Author), ask, AuthorName) for _ in range(read.MAX_EXPORTS)
    ]
    with pytest.raises(APIException) as caught:
        await paginate_query(select(Author), ask, AuthorName)
    assert caught.value.code is APICode.OVERLOADED
    for response in under_way:
        assert [chunk async for chunk in response.body_iterator]
    assert (await paginate_query(select(Author), PaginateRequest(), AuthorName)).total == 5
    last: Any = await paginate_query(select(Author), ask, AuthorName)
    assert [chunk async for chunk in last.body_iterator]


async def test_an_error_of_the_database_comes_before_the_file(books: Database) -> None:
    with pytest.raises(Exception, match=r"no such function|does not exist"):
        await paginate_query(
            select(Author).where(func.no_such(Author.id) == 1), PaginateRequest(export="csv"), AuthorName
        )
    assert books.read._export_room._value == read.MAX_EXPORTS


MEASURE = """
import asyncio, re, sys
from types import SimpleNamespace
from sqlalchemy import select
from tests.kernel.db.tables import Book
from datetime import datetime
from xumi.kernel.config import Settings
from xumi.kernel.context import Context, enter
from xumi.kernel.db.engine import Database
from xumi.kernel.db.query import PaginateRequest, paginate_query
from xumi.kernel.schema import SchemaBase

class Narrow(SchemaBase):
    id: str
    title: str
    pages: int | None
    created_at: datetime

async def main(url, form, path):
    database = Database(url)
    with enter(Context(SimpleNamespace(database=database, settings=Settings(app_env="test")), "measure")), open(path, "wb") as file:
        response = await paginate_query(select(Book), PaginateRequest(export=form), Narrow)
        async for chunk in response.body_iterator:
            file.write(chunk)
    await database.close()

asyncio.run(main(*sys.argv[1:]))
# Not ru_maxrss: that begins with the size of the process that started this one.
status = open("/proc/self/status").read()
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.siege
@pytest.mark.timeout(900)
async def test_a_million_rows_need_150_mib_at_most(books: Database, tmp_path: Path) -> None:
    # One form each: the drivers and the forms are what may need memory, not their pairs, and a file takes minutes.
    form = "csv" if books.dialect == "postgresql" else "xlsx"
    if books.dialect == "mysql":
        return  # A small MariaDB takes many minutes to make the rows.
    columns = [column for column in Book.__table__.columns if column.name != "id"]
    key: Any = func.lower(func.hex(func.randomblob(13)))
    if books.dialect == "postgresql":
        key = func.substr(func.md5(cast(func.random(), Text) + Book.id), 1, 26)
    async with books.engine.begin() as connection:
        # 53 books, doubled 14 times, and as many more as make it a million; else doubled 11 times.
        for turn in range(15 if is_full() else 11):
            doubled = select(key, *columns)
            if turn == 14:
                doubled = doubled.limit(150_000)
            await connection.execute(
                insert(Book).from_select(["id", *[column.name for column in columns]], doubled)
            )
    url = books.url.render_as_string(hide_password=False)
    path = tmp_path / f"all.{form}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MEASURE, url, form, str(path), stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    peak_mib = int(output)
    print(f"{books.dialect} {form}: peak {peak_mib} MiB, file {path.stat().st_size >> 20} MiB")
    assert peak_mib <= 150
    if form == "csv":
        with path.open("rb") as file:
            assert sum(1 for _ in file) > scaled(1_000_000)

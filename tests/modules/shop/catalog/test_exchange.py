"""Products as files: what is exported can be imported again, all rows or none, and errors come back beside their rows."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from tests.modules.shop.catalog.conftest import Make, send
from xumi.kernel.db.sheet import CsvSheet, Sheet, XlsxSheet
from xumi.kernel.db.sheet_reader import read_rows
from xumi.kernel.testing.contention import contend
from xumi.modules.shop.catalog.constants import MAX_IMPORT_BYTES, MAX_IMPORT_ROWS, MAX_SKUS

FILES = "/api/v1/shop/products"
FORMATS = pytest.mark.parametrize("form", ["csv", "xlsx"])

Rows = Sequence[Sequence[Any]]


def write(form: str, rows: Rows) -> bytes:
    """A file of these rows, headings first."""
    sheet: Sheet = XlsxSheet() if form == "xlsx" else CsvSheet()
    return sheet.begin(rows[0]) + sheet.add(rows[1:]) + sheet.end()


async def bring(
    client: httpx.AsyncClient, content: bytes, status: int = 200, *, dry_run: bool = False
) -> httpx.Response:
    """The answer to an import that has this status."""
    response = await client.post(f"{FILES}/import", params={"dry_run": dry_run}, content=content)
    assert response.status_code == status, response.text
    return response


def counts(response: httpx.Response) -> list[int]:
    """How many products were made and changed, and SKUs."""
    data = response.json()["data"]
    names = ("products_created", "products_changed", "skus_created", "skus_changed")
    return [data[name] for name in names]


async def fetch(client: httpx.AsyncClient, form: str) -> bytes:
    """The export."""
    response = await client.get(f"{FILES}/export", params={"format": form})
    assert response.status_code == 200, response.text
    assert f".{form}" in response.headers["content-disposition"]
    return response.content


def wrong(response: httpx.Response) -> dict[int, str]:
    """What is wrong, by row."""
    rows = read_rows(response.content, 1000)
    assert rows[0][-1] == "errors"
    found = {
        number: row[-1] for number, row in enumerate(rows[1:], 2) if len(row) == len(rows[0]) and row[-1]
    }
    assert response.headers["x-import-rows-wrong"] == str(len(found))
    return found


HEADINGS = ["product_code", "name", "category", "sku_code", "options", "price_fen", "stock"]
CUPS = [
    HEADINGS,
    ["CUP", "白瓷杯", "Tea", "CUP-R", "颜色: 红", 2900, 7],
    ["CUP", "", "", "CUP-B", "颜色：蓝\n尺码: L", 2500, 8],
    ["POT", "Pot", "Tea", "", "", "", ""],
]


@FORMATS
async def test_import_makes_changes_and_is_idempotent(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, category: str, form: str
) -> None:
    assert counts(await bring(admin, write(form, CUPS), dry_run=True)) == [2, 0, 2, 0]
    assert (await send(admin, "GET", "/shop/products"))["items"] == []
    assert counts(await bring(admin, write(form, CUPS))) == [2, 0, 2, 0]
    assert counts(await bring(admin, write(form, CUPS))) == [0, 0, 0, 0]
    listed = {item["code"]: item for item in (await send(admin, "GET", "/shop/products"))["items"]}
    assert {code: (item["state"], item["price_fen"]) for code, item in listed.items()} == {
        "CUP": ("draft", 2500),
        "POT": ("draft", 0),
    }
    found = await send(admin, "GET", f"/shop/products/{listed['CUP']['id']}")
    assert found["category_id"] == category
    assert [(sku["code"], sku["options"], sku["available"]) for sku in found["skus"]] == [
        ("CUP-R", {"颜色": "红"}, 7),
        ("CUP-B", {"颜色": "蓝", "尺码": "L"}, 8),
    ]
    changed = [
        [*HEADINGS, "state", "enabled"],
        ["CUP", "白瓷碗", "Tea", "CUP-B", "颜色: 绿", 2000, 99, "on_sale", ""],
        ["CUP", "", "", "CUP-R", "颜色: 红", 2900, 99, "", "false"],
        ["CUP", "", "", "CUP-N", "", 3100, 5, "", "true"],
    ]
    assert counts(await bring(admin, write(form, changed))) == [0, 1, 1, 2]
    [shown] = (await send(client, "GET", "/products?keyword=瓷碗"))["items"]
    detail = await send(client, "GET", f"/products/{shown['id']}")
    assert detail["price_fen"] == 2000
    assert {sku["code"]: (sku["options"], sku["available"]) for sku in detail["skus"]} == {
        "CUP-B": ({"颜色": "绿"}, 8),
        "CUP-N": ({}, 5),
    }


@FORMATS
async def test_what_is_exported_can_be_imported(admin: httpx.AsyncClient, make: Make, form: str) -> None:
    plain = await make(name="=1+1", subtitle="'=2", description='<p>@a, "b"\nc</p>')
    odd = [
        {"name": "a:b", "value": "c"},
        {"name": "-x", "value": "=HYPERLINK(1)"},
        {"name": "[", "value": "]"},
    ]
    other = await make(
        properties=odd,
        pictures=["/a.webp", "/b.webp"],
        limit_per_user=3,
        skus=[{"code": "00123", "options": {"+a": "-1", "b：c": "1"}, "price_fen": 1, "list_price_fen": 2}],
    )
    bare = await make(skus=[], on_sale=False)
    before = [await send(admin, "GET", f"/shop/products/{each}") for each in (plain, other, bare)]
    content = await fetch(admin, form)
    if form == "csv":
        cells = [cell for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
        assert "'=1+1" in cells
    assert counts(await bring(admin, content)) == [0, 0, 0, 0]
    for each in (plain, other, bare):
        await send(admin, "DELETE", f"/shop/products/{each}", status=204)
    assert counts(await bring(admin, content)) == [3, 0, 3 - 1, 0]
    listed = {item["code"]: item["id"] for item in (await send(admin, "GET", "/shop/products"))["items"]}
    changing = {"id", "product_id", "created_at", "updated_at", "on_sale_at"}
    for product in before:
        again = await send(admin, "GET", f"/shop/products/{listed[product['code']]}")
        for each in (product, again):
            each["skus"] = [{k: v for k, v in sku.items() if k not in changing} for sku in each["skus"]]
        assert {k: v for k, v in again.items() if k not in changing} == {
            k: v for k, v in product.items() if k not in changing
        }


@FORMATS
async def test_errors_come_back_beside_their_rows(admin: httpx.AsyncClient, make: Make, form: str) -> None:
    await make(skus=[{"code": "TAKEN", "price_fen": 5}])
    headings = [*HEADINGS, "category_id", "list_price_fen", "state", "freight_template_id", "properties"]
    rows = [
        headings,
        ["GOOD", "Good", "Tea", "G-1", "", 5, ""],
        ["A b", "x" * 121, "Tea", "B-1", "nonsense", "2.5", "-1"],
        ["C", "C", "Nowhere", "TAKEN", "", 5, ""],
        ["D", "", "", "D-1", "", "", ""],
        ["D", "D", "Tea", "D-1", "a: b", 5, "", "", 4],
        ["E", "E", "Tea", "E-1", "a: b\na: c", 5, "", "nothing", "", "sold"],
        ["F", "F", "Tea", "F-1", "", 5, "", "", "", "", "nothing", "[1]"],
        ["F", "F", "Tea", "F-2", "", 5],
        ["H", "H", "Tea", "", "", "", "", "", "", "on_sale"],
        ["", "I", "Tea"],
        ["J", "J", "Tea", "", "a: b"],
    ]
    rows = [[*row, *[""] * (len(headings) - len(row))] for row in rows]
    response = await bring(admin, write(form, rows), 422)
    assert response.headers["content-disposition"].startswith("attachment")
    found = wrong(response)
    expected = {
        3: ["product_code: ", "name: ", "options: ", "price_fen: ", "stock: "],
        4: ["category: there is no such", "sku_code: belongs to the product cup-1"],
        5: ["name: is missing", "category_id: is missing", "price_fen: is missing"],
        6: [
            "name: is not what row 5",
            "category: is not",
            "sku_code: comes twice",
            "list_price_fen: must not",
        ],
        7: ["options: ", "state: "],
        8: ["properties: "],
        9: ["options: are those of F-1"],
        10: ["state: a product on sale needs"],
        11: ["product_code: is missing"],
        12: ["sku_code: is missing"],
    }
    assert sorted(found) == sorted(expected)
    for number, texts in expected.items():
        for text in texts:
            assert text in found[number], (number, text)
    assert (await send(admin, "GET", "/shop/products?code=GOOD"))["items"] == []
    # The annotated file with only its good row left is imported as it is.
    kept = read_rows(response.content, 1000)
    assert counts(
        await bring(admin, write(form, [kept[0], [*kept[1], *[""] * (len(kept[0]) - len(kept[1]))]]))
    ) == [*[1, 0, 1, 0]]


async def test_what_is_no_list_of_products_is_refused(admin: httpx.AsyncClient) -> None:
    files = (
        b"",
        b"\n\n",
        b"name\nx",
        b"product_code,colour\n",
        b"product_code,product_code\n",
        b"\xff\xff",
        b'"',
        b"PK\x03\x04",
    )
    for content in files:
        answer = (await bring(admin, content, 422)).json()
        assert [error["field"] for error in answer["errors"]] == ["file"], content


async def test_a_row_that_is_too_long_keeps_its_cells(admin: httpx.AsyncClient, category: str) -> None:
    response = await bring(admin, b"product_code,name,category\nA,a,b,Tea\nB,B,Tea\n", 422)
    rows = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert rows[0] == ["product_code", "name", "category", "", "errors"]
    assert rows[1][:4] == ["A", "a", "b", "Tea"]
    assert rows[1][4].startswith("a cell has no heading above it")
    rows[1][2:4] = ["Tea", ""]
    assert counts(await bring(admin, write("csv", rows))) == [2, 0, 0, 0]


async def test_limits(admin: httpx.AsyncClient, category: str) -> None:
    rows = b"product_code\n" + b"x\n" * (MAX_IMPORT_ROWS + 1)
    assert "more than" in (await bring(admin, rows, 422)).text
    await bring(admin, b"x" * (MAX_IMPORT_BYTES + 1), 413)
    skus = "".join(f"A,A,Tea,A-{number},n: {number},5\n" for number in range(MAX_SKUS + 1))
    response = await bring(
        admin, f"product_code,name,category,sku_code,options,price_fen\n{skus}".encode(), 422
    )
    assert wrong(response) == {2: f"sku_code: a product can have at most {MAX_SKUS}"}


@FORMATS
async def test_template_is_an_example_that_works(admin: httpx.AsyncClient, category: str, form: str) -> None:
    await send(admin, "POST", "/shop/categories", {"name": "Cups"}, 201)
    template = await admin.get(f"{FILES}/import-template", params={"format": form})
    assert template.status_code == 200, template.text
    assert counts(await bring(admin, template.content)) == [1, 0, 2, 0]


async def test_an_import_is_noted_in_the_audit_log(admin: httpx.AsyncClient, category: str) -> None:
    await bring(admin, write("csv", CUPS))
    await bring(admin, b"product_code,sku_code,price_fen,name\nCUP,CUP-R,3000,Cup\n")
    entries = (await send(admin, "GET", "/audit?action=product.imported"))["items"]
    assert [entry["after"]["code"] for entry in entries[1:]] == ["POT", "CUP"]
    assert entries[0]["before"] == {"name": "白瓷杯", "skus": [{"code": "CUP-R", "price_fen": 2900}]}
    assert entries[0]["after"] == {"name": "Cup", "skus": [{"code": "CUP-R", "price_fen": 3000}]}


async def test_two_imports_at_once_are_one_after_the_other(admin: httpx.AsyncClient, category: str) -> None:
    await bring(admin, write("csv", CUPS))
    prices = iter(range(100, 105))

    async def change() -> None:
        price = next(prices)
        rows = [["POT", "", ""], ["CUP", "CUP-R", price], ["CUP", "CUP-B", price]]
        await bring(admin, write("csv", [["product_code", "sku_code", "price_fen"], *rows]))

    outcomes = await contend(5, change)
    assert outcomes.errors == []
    [cup] = (await send(admin, "GET", "/shop/products?code=CUP"))["items"]
    skus = (await send(admin, "GET", f"/shop/products/{cup['id']}"))["skus"]
    assert skus[0]["price_fen"] == skus[1]["price_fen"] == cup["price_fen"]
    assert 100 <= cup["price_fen"] < 105

"""What is refused in the documents that make and change menus, and that the answer names the field."""

from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from tests.modules.menu.conftest import MENUS, directory, element, ids, link, make, page, refusal, shape
from xumi.api import Application
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.ids import generate_key
from xumi.modules.menu.models import MenuItem

pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is refused does not depend on the database: one kind is enough."""
    return sqlite_url


FIELDS = {
    "code": ["", "Upper", "a b", "a..b", ".a", "a.", "1a", "a" * 65, "a\n", "用户", None, 1],
    "title_en": ["", "   ", "a\nb", "a\0b", "a" * 101, None],
    "title_zh": ["", "\u2003", "菜" * 101, None],
    "icon": ["", "../icon", "a b", "<svg>", "a" * 65, "-a"],
    "permission": ["", "note", "Note:list", "note:", "*", "note:*", "a:" + "b" * 100],
    "path": [
        "",
        "//example.com",
        "/a//b",
        "/a/../b",
        "..",
        "/a b",
        "javascript:alert(1)",
        "/a?b=c",
        "/a#b",
        "\\a",
    ],
    "component": ["", "/a", "../a", "a/../b", "a//b", "http://example.com/a", "a b", "a.js", "a" * 201],
    "hidden": ["perhaps", None],
    "keep_alive": [2],
    "enabled": ["", None],
    "kind": ["menu", None],
    "parent_id": ["nobody", "", 1, "a" * 27],
    "children": [{}, [1], None],
    # What is not for callers to set.
    **{name: ["0"] for name in ("id", "order", "created_at", "updated_at", "roles")},
}


NO_ADDRESSES = [
    *(
        "",
        "example.com",
        "//example.com",
        "ftp://example.com",
        "https://",
        "https:///a",
        "https:\\\\example.com",
    ),
    *(
        "javascript:alert(1)",
        "JavaScript://example.com/%0aalert(1)",
        "data:text/html,x",
        " https://example.com",
    ),
    *("https://user@example.com", "https://example.com@other.com", "https://example.com\\@other.com"),
    *(
        "https://example.com/a b",
        "https://example.com/\n",
        'https://example.com/"',
        "https://example.com/<a>",
    ),
    *("https://example.com:port", "https://" + "a" * 2000),
]


async def test_a_field_that_is_wrong_is_named(admin: httpx.AsyncClient) -> None:
    wrong = []
    for field, values in FIELDS.items():
        for value in values:
            response = await admin.post(MENUS, json=page("notes") | {field: value})
            code, fields = refusal(response)
            if code != 42200 or {name.split(".")[0] for name in fields} != {field}:
                wrong.append((field, value, code, fields))
    assert wrong == []
    assert await shape(admin) == []


async def test_a_link_leads_to_the_web_and_nowhere_else(admin: httpx.AsyncClient) -> None:
    for url in NO_ADDRESSES:
        assert refusal(await admin.post(MENUS, json=link("help", url=url))) == (42200, ["url"]), url


async def test_addresses_of_the_web_are_taken(admin: httpx.AsyncClient) -> None:
    for number, url in enumerate(
        (
            "https://example.com",
            "HTTP://10.0.0.1:8080/a?b=c#d",
            "http://[::1]:3000/",
            "https://例子.中国/帮助?词=一",
        )
    ):
        await make(admin, link(f"help{number}", url=url))
    for number, path in enumerate(("/", "/a", "a/b-c.d", "/users/:id/posts/:post?")):
        await make(admin, page(f"page{number}", path=path))


async def test_a_kind_has_its_fields_and_no_others(admin: httpx.AsyncClient) -> None:
    for document, field in (
        (directory("a", path=None), "path"),
        (page("a", path=None), "path"),
        (page("a", component=None), "component"),
        (page("a", url="https://example.com"), "url"),
        (link("a", url=None), "url"),
        (link("a", path="/a"), "path"),
        (link("a", component="a/index"), "component"),
    ):
        assert refusal(await admin.post(MENUS, json=document)) == (42200, [field])
    nested = directory(
        "a", page("b", element("b.save", url="https://example.com")), directory("c", path=None)
    )
    fields = ["children.1.path", "children.0.children.0.url"]
    assert refusal(await admin.post(MENUS, json=nested)) == (42200, fields)
    known = await make(admin, page("a"))
    path = f"{MENUS}/{known['a']}"
    for change, field in (
        ({"path": None}, "path"),
        ({"component": None}, "component"),
        ({"url": "http://a"}, "url"),
    ):
        assert refusal(await admin.patch(path, json=change)) == (42200, [field])


async def test_a_kind_hangs_where_it_belongs(admin: httpx.AsyncClient) -> None:
    assert refusal(await admin.post(MENUS, json=element("save"))) == (42200, ["parent_id"])
    for document in (
        directory("a", element("a.save")),
        page("a", directory("b")),
        page("a", link("b")),
        page("a", element("b", children=[page("c")])),
        link("a", children=[page("b")]),
    ):
        code, fields = refusal(await admin.post(MENUS, json=document))
        assert (code, {field.split(".")[-1] for field in fields}) == (42200, {"kind"})
    await make(admin, directory("a", page("b", element("b.save")), link("c")))
    known = await ids(admin)
    for code, parent in (("b.save", "a"), ("b.save", None), ("c", "b"), ("b", "c"), ("b", "b.save")):
        body = {"parent_id": parent and known[parent]}
        response = await admin.post(f"{MENUS}/{known[code]}/move", json=body)
        assert refusal(response) in ((42200, ["parent_id"]), (40931, []))
    assert await shape(admin) == [["a", [["b", ["b.save"]], "c"]]]


async def test_a_code_is_taken_once(admin: httpx.AsyncClient) -> None:
    known = await make(admin, directory("a", page("b")))
    assert refusal(await admin.post(MENUS, json=page("b"))) == (40901, ["code"])
    nested = directory("c", page("d"), page("d"), page("a"))
    assert refusal(await admin.post(MENUS, json=nested)) == (40901, ["children.1.code", "children.2.code"])
    assert refusal(await admin.patch(f"{MENUS}/{known['a']}", json={"code": "b"})) == (40901, ["code"])
    assert (await admin.patch(f"{MENUS}/{known['a']}", json={"code": "a"})).status_code == 204
    assert await shape(admin) == [["a", ["b"]]]


def nest(levels: int) -> dict[str, Any]:
    document = directory("d1")
    for level in range(2, levels + 1):
        document = directory(f"d{level}", document)
    return document


async def test_a_document_nests_ten_levels(admin: httpx.AsyncClient) -> None:
    for levels in (11, 60):
        assert refusal(await admin.post(MENUS, json=nest(levels))) == (42200, ["children"])
    bottomless = '{"children":[' * 5000 + "]}" * 5000
    headers = {"Content-Type": "application/json"}
    assert (await admin.post(MENUS, content=bottomless, headers=headers)).status_code in (400, 422)
    await make(admin, nest(10))


async def test_there_are_at_most_2000_items(app: Application, admin: httpx.AsyncClient) -> None:
    facts = {"kind": "directory", "title_en": "a", "title_zh": "a", "path": "/a", "order": 0}
    facts |= {"hidden": False, "keep_alive": False, "enabled": True}
    rows = [{"id": generate_key(), "code": f"d{number}", **facts} for number in range(1999)]
    with app.resources.context("test"):
        async with unit_of_work() as work:
            await work.session.execute(insert(MenuItem), rows)
    assert refusal(await admin.post(MENUS, json=directory("a", page("b")))) == (40933, [])
    assert (await admin.post(MENUS, json=directory("a"))).status_code == 201
    assert refusal(await admin.post(MENUS, json=directory("b"))) == (40933, [])
    assert len((await admin.get(f"{MENUS}/tree")).json()["data"]) == 2000


async def test_other_bodies_are_refused_by_field(admin: httpx.AsyncClient) -> None:
    known = await make(admin, page("a"))
    path = f"{MENUS}/{known['a']}"
    for method, where, body, field in (
        ("post", f"{path}/move", {}, "parent_id"),
        ("post", f"{path}/move", {"parent_id": "nobody"}, "parent_id"),
        ("post", f"{path}/move", {"parent_id": None, "order": -1}, "order"),
        ("post", f"{MENUS}/reorder", {"parent_id": "nobody", "ids": ["a"]}, "parent_id"),
        ("post", f"{MENUS}/reorder", {"parent_id": None, "ids": []}, "ids"),
        ("put", path, {"title_en": "a", "title_zh": "a"}, "code"),
        ("patch", path, {"kind": "link"}, "kind"),
        ("patch", path, {"parent_id": None}, "parent_id"),
        ("get", f"{MENUS}?sort=title_en", None, "sort"),
        ("get", f"{MENUS}?kind=menu", None, "kind"),
        ("delete", f"{path}?with_children=perhaps", None, "with_children"),
        ("get", "/api/v1/roles/Not%20a%20role/menus", None, "role"),
        ("put", "/api/v1/roles/clerk/menus", {}, "menu_ids"),
        ("post", "/api/v1/roles/clerk/menus", {"menu_ids": [known["a"], "nobody"]}, "menu_ids.1"),
        ("delete", "/api/v1/roles/clerk/menus", {"menu_ids": ["nobody"]}, "menu_ids.0"),
    ):
        response = await admin.request(method, where, json=body)
        assert refusal(response) == (42200, [field]), where

"""Managing menu items: made alone and in documents, shown, changed, moved, ordered and deleted."""

from typing import Any

import httpx
import pytest

from tests.modules.menu.conftest import (
    MENUS,
    directory,
    element,
    ids,
    link,
    make,
    page,
    refusal,
    shape,
)

pytestmark = pytest.mark.usefixtures("empty")


async def test_an_item_is_made_and_shown(admin: httpx.AsyncClient) -> None:
    known = await make(admin, page("notes", icon="ep:notebook", permission="note:list", keep_alive=True))
    shown = (await admin.get(f"{MENUS}/{known['notes']}")).json()["data"]
    assert shown == {
        "id": known["notes"],
        "parent_id": None,
        "kind": "page",
        "code": "notes",
        "title_en": "Notes",
        "title_zh": "目录notes",
        "icon": "ep:notebook",
        "path": "/notes",
        "component": "notes/index",
        "url": None,
        "permission": "note:list",
        "hidden": False,
        "keep_alive": True,
        "enabled": True,
        "order": 0,
        "created_at": shown["created_at"],
        "updated_at": shown["updated_at"],
    }


async def test_a_document_makes_a_branch(admin: httpx.AsyncClient) -> None:
    known = await make(admin, directory("a", page("b", element("b.save"), page("c")), link("d"), page("e")))
    assert await shape(admin) == [["a", [["b", ["b.save", "c"]], "d", "e"]]]
    await make(admin, directory("f", parent_id=known["a"]))
    assert await shape(admin) == [["a", [["b", ["b.save", "c"]], "d", "e", "f"]]]


async def test_the_list_is_found_sorted_and_paged(admin: httpx.AsyncClient) -> None:
    known = await make(admin, directory("a", page("b", element("b.save", enabled=False)), page("c")))

    async def codes(**query: Any) -> list[str]:
        answer = await admin.get(MENUS, params=query)
        return [item["code"] for item in answer.json()["data"]["items"]]

    assert await codes() == ["a", "b", "b.save", "c"]
    assert await codes(code="B", sort="-code") == ["b.save", "b"]
    assert await codes(kind="page") == ["b", "c"]
    assert await codes(parent_id=known["a"], sort="-order") == ["c", "b"]
    assert await codes(enabled=False) == ["b.save"]
    assert await codes(page=2, size=3) == ["c"]


async def test_put_sets_everything_and_patch_what_it_holds(admin: httpx.AsyncClient) -> None:
    known = await make(admin, page("a", icon="user", permission="a:list", hidden=True))
    path = f"{MENUS}/{known['a']}"

    async def facts() -> dict[str, Any]:
        shown = (await admin.get(path)).json()["data"]
        return {name: shown[name] for name in ("code", "title_en", "icon", "permission", "hidden", "enabled")}

    assert (
        await admin.patch(path, json={"title_en": "Other", "icon": None, "hidden": None})
    ).status_code == 204
    changed = {"code": "a", "title_en": "Other", "icon": None, "permission": "a:list", "hidden": True}
    assert await facts() == {**changed, "enabled": True}
    assert (await admin.post(f"{path}/disable")).status_code == 204
    assert await facts() == {**changed, "enabled": False}
    assert (await admin.post(f"{path}/enable")).status_code == 204
    body = {"code": "b", "title_en": "B", "title_zh": "乙", "path": "/b", "component": "b/index"}
    assert (await admin.put(path, json=body)).status_code == 204
    assert await facts() == {
        "code": "b",
        "title_en": "B",
        "icon": None,
        "permission": None,
        "hidden": False,
        "enabled": True,
    }


async def test_an_item_moves_with_what_is_below_it(admin: httpx.AsyncClient) -> None:
    await make(admin, directory("a", page("b", element("b.save")), page("c")))
    known = await make(admin, directory("d", page("e"), page("f")))

    async def move(code: str, parent: str | None, **more: Any) -> None:
        body = {"parent_id": parent and known[parent], **more}
        response = await admin.post(f"{MENUS}/{known[code]}/move", json=body)
        assert response.status_code == 204, response.text

    await move("b", "d", order=1)
    assert await shape(admin) == [["a", ["c"]], ["d", ["e", ["b", ["b.save"]], "f"]]]
    await move("b", None, order=0)
    assert await shape(admin) == [["b", ["b.save"]], ["a", ["c"]], ["d", ["e", "f"]]]
    await move("a", "d", order=999)
    assert await shape(admin) == [["b", ["b.save"]], ["d", ["e", "f", ["a", ["c"]]]]]
    await move("f", "d", order=0)
    assert await shape(admin) == [["b", ["b.save"]], ["d", ["f", "e", ["a", ["c"]]]]]


async def test_an_item_cannot_come_to_hang_below_itself(admin: httpx.AsyncClient) -> None:
    known = await make(admin, directory("a", directory("b", directory("c"))))
    for parent in "abc":
        body = {"parent_id": known[parent]}
        assert refusal(await admin.post(f"{MENUS}/{known['a']}/move", json=body)) == (40931, [])
    assert await shape(admin) == [["a", [["b", ["c"]]]]]


async def test_siblings_are_ordered_in_one_call(admin: httpx.AsyncClient) -> None:
    known = await make(admin, directory("a", page("b"), page("c"), link("d")))

    async def reorder(parent: str | None, *codes: str) -> httpx.Response:
        body = {"parent_id": parent and known[parent], "ids": [known[code] for code in codes]}
        return await admin.post(f"{MENUS}/reorder", json=body)

    assert (await reorder("a", "d", "b", "c")).status_code == 204
    assert await shape(admin) == [["a", ["d", "b", "c"]]]
    for wrong in (("d", "b"), ("d", "b", "c", "c"), ("d", "b", "c", "a")):
        assert refusal(await reorder("a", *wrong)) == (40932, [])
    assert await shape(admin) == [["a", ["d", "b", "c"]]]
    await make(admin, page("e"))
    known = await ids(admin)
    assert (await reorder(None, "e", "a")).status_code == 204
    assert await shape(admin) == ["e", ["a", ["d", "b", "c"]]]


async def test_a_branch_is_deleted_only_where_that_is_wanted(admin: httpx.AsyncClient) -> None:
    known = await make(admin, directory("a", page("b", element("b.save")), page("c")))
    path = f"{MENUS}/{known['a']}"
    assert refusal(await admin.delete(path)) == (40930, [])
    assert (await admin.delete(f"{MENUS}/{known['c']}")).status_code == 204
    assert await shape(admin) == [["a", [["b", ["b.save"]]]]]
    assert (await admin.delete(path, params={"with_children": True})).status_code == 204
    assert await shape(admin) == []
    assert refusal(await admin.delete(path)) == (40400, [])


async def test_what_is_not_there_is_not_found(admin: httpx.AsyncClient) -> None:
    calls: list[tuple[str, str, Any]] = [
        ("get", "", None),
        ("patch", "", {}),
        ("put", "", {"code": "a", "title_en": "a", "title_zh": "a"}),
        ("delete", "", None),
        ("post", "/enable", None),
        ("post", "/disable", None),
        ("post", "/move", {"parent_id": None}),
    ]
    for method, path, body in calls:
        response = await admin.request(method, f"{MENUS}/nothing{path}", json=body)
        assert refusal(response) == (40400, []), (method, path)


async def test_a_tree_has_up_to_100_levels(admin: httpx.AsyncClient) -> None:
    parent, number = None, 0
    for _ in range(10):
        document = directory(f"d{number + 9}")
        for below in range(8, -1, -1):
            document = directory(f"d{number + below}", document)
        known = await make(admin, {**document, "parent_id": parent})
        number += 10
        parent = known[f"d{number - 1}"]
    assert str(await shape(admin)).count("'d") == 100
    refused = await admin.post(MENUS, json=directory("deeper", parent_id=parent))
    assert refusal(refused) == (40934, [])
    await make(admin, directory("branch", directory("twig")))
    branch = (await admin.get(MENUS, params={"code": "branch"})).json()["data"]["items"][0]["id"]
    body = {"parent_id": known["d98"]}
    assert refusal(await admin.post(f"{MENUS}/{branch}/move", json=body)) == (40934, [])
    body = {"parent_id": known["d97"]}
    assert (await admin.post(f"{MENUS}/{branch}/move", json=body)).status_code == 204

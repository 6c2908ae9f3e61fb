"""Which roles are granted which items, in bulk; and that every change of menus is in the audit log."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.modules.menu.conftest import MENUS, SignUp, directory, element, make, mine, page
from xumi.modules.menu.service import grant, item, place

GRANTS = "/api/v1/roles/clerk/menus"

pytestmark = pytest.mark.usefixtures("empty")


async def test_grants_are_replaced_added_and_taken_away(admin: httpx.AsyncClient) -> None:
    known = await make(admin, directory("a", page("b", element("b.save")), page("c")))

    async def change(method: str, *codes: str) -> list[str]:
        body = {"menu_ids": [known[code] for code in codes]}
        response = await admin.request(method, GRANTS, json=body)
        assert response.status_code == 204, response.text
        shown = (await admin.get(GRANTS)).json()["data"]
        assert shown["role"] == "clerk"
        return sorted(code for code in known if known[code] in shown["menu_ids"])

    assert await change("put", "a", "b") == ["a", "b"]
    assert await change("put", "b", "b.save") == ["b", "b.save"]
    assert await change("post", "b", "c", "c") == ["b", "b.save", "c"]
    assert await change("delete", "a", "b") == ["b.save", "c"]
    other = (await admin.get("/api/v1/roles/manager/menus")).json()["data"]
    assert other == {"role": "manager", "menu_ids": []}
    tree = (await admin.get(f"{MENUS}/tree")).json()["data"]
    assert [child["roles"] for child in tree[0]["children"]] == [[], ["clerk"]]
    await admin.delete(f"{MENUS}/{known['c']}")
    assert (await admin.get(GRANTS)).json()["data"]["menu_ids"] == [known["b.save"]]
    assert await change("put") == []


async def test_a_clone_of_a_role_sees_what_its_original_does(
    admin: httpx.AsyncClient, audited: list[tuple[str, str, Any, Any]]
) -> None:
    known = await make(admin, directory("a", page("b", element("b.save")), page("c")))
    everything = {"menu_ids": [known[code] for code in ("a", "b", "b.save", "c")]}
    assert (await admin.put("/api/v1/roles/manager/menus", json=everything)).status_code == 204
    body = {"menu_ids": [known[code] for code in ("a", "b", "b.save")]}
    assert (await admin.put(GRANTS, json=body)).status_code == 204
    copy = {"code": "copy", "title_en": "Copy", "title_zh": "副本"}
    for role, menus in (("clerk", ["a", "b", "b.save"]), ("manager", ["a", "b", "b.save", "c"])):
        audited.clear()
        assert (await admin.post(f"/api/v1/roles/{role}/clone", json=copy)).status_code == 201
        shown = (await admin.get("/api/v1/roles/copy/menus")).json()["data"]["menu_ids"]
        assert sorted(code for code in known if known[code] in shown) == menus
        assert audited == [("role-menus.changed", "role:copy", {"menus": []}, {"menus": menus})]
        assert (await admin.delete("/api/v1/roles/copy")).status_code == 204
    assert (await admin.put(GRANTS, json={"menu_ids": []})).status_code == 204
    audited.clear()
    assert (await admin.post("/api/v1/roles/clerk/clone", json=copy)).status_code == 201
    assert audited == []


async def test_who_holds_a_clone_sees_its_items(admin: httpx.AsyncClient, sign_up: SignUp) -> None:
    known = await make(admin, directory("a", page("b")))
    assert (await admin.put(GRANTS, json={"menu_ids": list(known.values())})).status_code == 204
    copy = {"code": "copy", "title_en": "Copy", "title_zh": "副本"}
    bob = await sign_up("bob", "user")
    assert await mine(bob) == ([], [])
    assert (await admin.post("/api/v1/roles/clerk/clone", json=copy)).status_code == 201
    carol = await sign_up("carol", "user", "copy")
    assert await mine(bob) == ([], [])
    assert await mine(carol) == ([["a", ["b"]]], [])


@pytest.fixture
def audited(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any, Any]]:
    """What is written to the audit log, and is written all the same."""
    seen: list[tuple[str, str, Any, Any]] = []
    write = item.record

    def see(
        session: Any,
        action: str,
        subject: str,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
    ) -> None:
        seen.append((action, subject, before, after))
        write(session, action, subject, before, after)

    for module in (item, place, grant):
        monkeypatch.setattr(module, "record", see)
    return seen


async def test_every_change_is_audited(
    admin: httpx.AsyncClient, audited: list[tuple[str, str, Any, Any]]
) -> None:
    known = await make(admin, directory("a", page("b"), page("c")))
    a, b, c = (f"menu:{known[code]}" for code in "abc")
    created = {subject: (after["code"], before) for _, subject, before, after in audited}
    assert created == {a: ("a", None), b: ("b", None), c: ("c", None)}
    assert {action for action, *_ in audited} == {"menu.created"}
    audited.clear()
    path = f"{MENUS}/{known['b']}"
    for method, where, body in (
        ("patch", path, {"title_en": "Other", "icon": None}),
        ("post", f"{path}/disable", None),
        ("post", f"{path}/enable", None),
        ("post", f"{MENUS}/reorder", {"parent_id": known["a"], "ids": [known["c"], known["b"]]}),
        ("post", f"{path}/move", {"parent_id": None, "order": 0}),
        ("put", GRANTS, {"menu_ids": [known["c"], known["b"]]}),
        ("delete", GRANTS, {"menu_ids": [known["c"]]}),
    ):
        # What changes nothing the second time is not noted again.
        for _ in range(2):
            assert (await admin.request(method, where, json=body)).status_code == 204
    assert (await admin.delete(path)).status_code == 204
    assert audited == [
        ("menu.updated", b, {"title_en": "B"}, {"title_en": "Other"}),
        ("menu.disabled", b, {"enabled": True}, {"enabled": False}),
        ("menu.enabled", b, {"enabled": False}, {"enabled": True}),
        ("menu.reordered", a, {"ids": [known["b"], known["c"]]}, {"ids": [known["c"], known["b"]]}),
        ("menu.moved", b, {"parent_id": known["a"], "order": 1}, {"parent_id": None, "order": 0}),
        ("role-menus.changed", "role:clerk", {"menus": []}, {"menus": ["b", "c"]}),
        ("role-menus.changed", "role:clerk", {"menus": ["b", "c"]}, {"menus": ["b"]}),
        ("menu.deleted", b, {"code": "b", "kind": "page", "parent_id": None}, None),
    ]

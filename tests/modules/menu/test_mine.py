"""What a caller sees: by permission, by grant, and nothing else; how soon; at what cost."""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import event

from tests.conftest import sign_in
from tests.modules.menu.conftest import (
    MENUS,
    Shape,
    SignUp,
    directory,
    element,
    ids,
    link,
    make,
    mine,
    outline,
    page,
)
from xumi.api import Application, create_app
from xumi.kernel import clock
from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.principal import Principal
from xumi.kernel.config import Settings
from xumi.kernel.testing.client import open_client, running
from xumi.modules.menu.enums import MenuKind
from xumi.modules.menu.schemas import MenuRow
from xumi.modules.menu.service.mine import prune, read_menus


def flatten(documents: list[dict[str, Any]], parent_id: str | None = None) -> Iterator[MenuRow]:
    """Documents as the items that they would make; `roles` are those that are granted them."""
    for order, document in enumerate(documents):
        values: dict[str, Any] = dict.fromkeys(MenuRow.model_fields)
        values |= {"hidden": False, "keep_alive": False, "enabled": True, **document}
        values |= {"id": document["code"], "parent_id": parent_id, "order": order}
        values["kind"] = MenuKind(document["kind"])
        yield MenuRow.model_construct(**values)
        yield from flatten(document.get("children", []), document["code"])


def see(*documents: dict[str, Any], roles: str = "", holds: str = "") -> tuple[Shape, list[str]]:
    """What somebody of these roles and permissions sees."""
    menus = prune(list(flatten([*documents])), set(roles.split()), set(holds.split()))
    return outline(msgspec.to_builtins(menus.menus)), menus.elements


NOTHING: tuple[Shape, list[str]] = ([], [])


def test_an_item_with_a_permission_is_for_who_holds_it() -> None:
    notes = page("notes", permission="note:list")
    assert see(notes) == NOTHING
    assert see(notes, holds="note:create") == NOTHING
    assert see(notes, holds="note:list") == (["notes"], [])
    assert see(notes, holds=EVERYTHING) == (["notes"], [])


def test_an_item_for_which_nothing_is_said_is_for_nobody() -> None:
    for item in (page("a"), link("a")):
        assert see(item, roles="user clerk", holds="note:list") == NOTHING
        assert see(item, holds=EVERYTHING) == (["a"], [])


def test_grants_narrow_what_a_permission_opens() -> None:
    granted = page("a", roles="clerk,manager")
    both = page("b", roles="clerk", permission="note:list")
    assert see(granted, both) == NOTHING
    assert see(granted, both, roles="user") == NOTHING
    assert see(granted, both, roles="user clerk") == (["a"], [])
    assert see(granted, both, holds="note:list") == NOTHING
    assert see(granted, both, roles="clerk", holds="note:list") == (["a", "b"], [])
    assert see(granted, both, holds=EVERYTHING) == (["a", "b"], [])


def test_a_directory_is_seen_where_something_in_it_is() -> None:
    tree = directory("a", directory("b", page("c", permission="x:y")), directory("d", page("e")))
    assert see(tree) == NOTHING
    assert see(tree, holds="x:y") == ([["a", [["b", ["c"]]]]], [])
    assert see(tree, holds=EVERYTHING) == ([["a", [["b", ["c"]], ["d", ["e"]]]]], [])
    assert see(directory("a"), holds="x:y") == NOTHING
    assert see(directory("a"), holds=EVERYTHING) == (["a"], [])


def test_what_is_below_what_is_not_seen_is_not_seen() -> None:
    seen = page("c", element("c.save", permission="x:y"), permission="x:y")
    for above in (
        directory("a", seen, permission="x:z"),
        directory("a", seen, roles="manager"),
        directory("a", seen, enabled=False),
        page("a", seen),
    ):
        assert see(directory("top", above), roles="clerk", holds="x:y") == NOTHING
    assert see(directory("a", seen, enabled=False), holds=EVERYTHING) == NOTHING
    assert see(directory("a", seen, roles="clerk"), roles="clerk", holds="x:y") == (
        [["a", ["c"]]],
        ["c.save"],
    )


def test_elements_are_codes_and_make_no_directory_seen() -> None:
    tree = directory(
        "a",
        page("b", element("b.save", permission="x:y"), element("b.drop", roles="clerk"), permission="x:y"),
    )
    assert see(tree, holds="x:y") == ([["a", ["b"]]], ["b.save"])
    assert see(tree, holds="x:y", roles="clerk") == ([["a", ["b"]]], ["b.save", "b.drop"])
    assert see(tree, roles="clerk") == NOTHING


def test_siblings_keep_their_order() -> None:
    pages = [page(f"p{number}", permission="x:y" if number % 3 else "x:z") for number in range(9)]
    assert see(directory("a", *pages), holds="x:y") == ([["a", ["p1", "p2", "p4", "p5", "p7", "p8"]]], [])


async def test_everybody_gets_his_own(
    empty: Application, admin: httpx.AsyncClient, user: httpx.AsyncClient, sign_up: SignUp
) -> None:
    clerk = await sign_up("carol", "user", "clerk")
    await make(
        admin, directory("a", page("b", permission="menu:mine"), page("c"), page("d", element("d.save")))
    )
    known = await make(admin, page("e"))
    granted = {"menu_ids": [known["c"], known["d"], known["d.save"]]}
    assert (await admin.put("/api/v1/roles/clerk/menus", json=granted)).status_code == 204
    assert await mine(admin) == ([["a", ["b", "c", "d"]], "e"], ["d.save"])
    assert await mine(user) == ([["a", ["b"]]], [])
    assert await mine(clerk) == ([["a", ["b", "c", "d"]]], ["d.save"])
    assert (await admin.delete(f"{MENUS}/{known['d']}?with_children=true")).status_code == 204
    assert await mine(clerk) == ([["a", ["b", "c"]]], [])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_route_is_what_the_router_of_the_console_takes(
    empty: Application, admin: httpx.AsyncClient
) -> None:
    await make(admin, page("notes", icon="note", hidden=True, keep_alive=True))
    [route] = (await admin.get(f"{MENUS}/mine")).json()["data"]["menus"]
    assert route == {
        "name": "notes",
        "path": "/notes",
        "component": "notes/index",
        "meta": {
            "kind": "page",
            "title_en": "Notes",
            "title_zh": "目录notes",
            "icon": "note",
            "hidden": True,
            "keep_alive": True,
            "url": None,
        },
        "children": [],
    }


async def test_what_has_not_changed_is_not_sent_again(
    empty: Application, admin: httpx.AsyncClient, user: httpx.AsyncClient
) -> None:
    await make(admin, page("a", permission="menu:mine"))
    first = await user.get(f"{MENUS}/mine")
    etag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await user.get(f"{MENUS}/mine", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    other = await admin.get(f"{MENUS}/mine", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200
    # The same routes are the same entity; what another caller sees beside them is another one.
    assert other.headers["ETag"] == etag
    await make(admin, page("b"))
    changed = await admin.get(f"{MENUS}/mine", headers={"If-None-Match": etag})
    assert (changed.status_code, outline(changed.json()["data"]["menus"])) == (200, ["a", "b"])
    assert (await user.get(f"{MENUS}/mine", headers={"If-None-Match": etag})).status_code == 304


@pytest.fixture
def statements(app: Application) -> list[str]:
    """What the database is asked from now on, without what follows ended access in the background."""
    database, asked = app.resources.database, list[str]()
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    fetch = database.read.runner.fetch

    async def count_fetch(query: Any) -> Any:
        if "account_access_change" not in query.sql:
            asked.append(query.sql)
        return await fetch(query)

    database.read.runner.fetch = count_fetch  # type: ignore[method-assign]
    return asked


async def test_one_statement_at_first_and_none_afterwards(
    admin: httpx.AsyncClient, user: httpx.AsyncClient, statements: list[str]
) -> None:
    for number, client in enumerate((admin, user), 1):
        for _ in range(3):
            await mine(client)
            assert len(statements) == number


async def test_another_worker_shows_a_change_after_5_seconds(
    empty: Application, admin: httpx.AsyncClient, settings: Settings
) -> None:
    other = create_app(settings)
    async with running(other), open_client(other) as there:
        await sign_in(there, "admin")
        assert await mine(there) == NOTHING
        await make(admin, page("a"))
        assert await mine(admin) == (["a"], [])
        with clock.travel(seconds=5):
            assert await mine(there) == (["a"], [])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_other_permissions_under_the_same_roles_see_other_menus(
    empty: Application, admin: httpx.AsyncClient
) -> None:
    """A role is given a permission; a key of a machine may use only some of its owner's."""
    await make(admin, page("a", permission="a:list"))
    with empty.resources.context("test"):
        for permissions, expected in (({"b:list"}, []), ({"a:list"}, ["a"]), ({"b:list"}, [])):
            principal = Principal("u", ("user",), "s", frozenset(permissions))
            menus = await read_menus(principal)
            assert [route.name for route in menus.menus] == expected


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_change_that_fails_is_not_shown(empty: Application, admin: httpx.AsyncClient) -> None:
    await make(admin, page("a"))
    assert await mine(admin) == (["a"], [])
    known = await ids(admin)
    response = await admin.patch(f"{MENUS}/{known['a']}", json={"enabled": False, "component": None})
    assert response.status_code == 422
    assert await mine(admin) == (["a"], [])

"""What is there from the start: put in once, by whoever is first, and never again."""

import httpx
import pytest
from sqlalchemy import update

from tests.modules.menu.conftest import MENUS, directory, element, ids, make, mine, page, shape
from xumi.api import Application
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import StartError
from xumi.kernel.modules import Feature, Module
from xumi.kernel.testing.contention import contend
from xumi.modules.menu.models import MenuTree
from xumi.modules.menu.service import seed

PAGES = ["users", "roles", "menus", "departments", "jobs", "audit"]


async def start(app: Application, *menus: object) -> None:
    """What `xumi run` does before it serves, with one more module."""
    notes = Module(name="notes", title_en="Notes", title_zh="便签", menus=menus)  # type: ignore[arg-type]
    with app.resources.context("start"):
        async with unit_of_work() as work:
            await seed(work.session, [Feature(notes, "modules.notes"), *app.resources.features])


async def test_the_administration_is_there_from_the_start(
    admin: httpx.AsyncClient, user: httpx.AsyncClient
) -> None:
    menus, elements = await mine(admin)
    assert menus == [["system", [f"system.{name}" for name in PAGES]]]
    assert "user.reset-password-button" in elements
    assert await mine(user) == ([], [])


async def test_every_default_item_has_titles_in_both_languages_and_a_permission(
    admin: httpx.AsyncClient,
) -> None:
    items = (await admin.get(MENUS, params={"size": 100})).json()["data"]["items"]
    for item in items:
        assert item["title_en"].isascii(), item
        assert not item["title_zh"].isascii(), item
        assert (item["permission"] is None) == (item["kind"] == "directory"), item


async def test_what_was_deleted_or_changed_stays_so(app: Application, admin: httpx.AsyncClient) -> None:
    known = await ids(admin)
    await admin.delete(f"{MENUS}/{known['system.users']}?with_children=true")
    await admin.patch(f"{MENUS}/{known['system.jobs']}", json={"code": "tasks", "title_en": "Tasks"})
    before = await shape(admin)
    await start(app)
    assert await shape(admin) == before


async def test_processes_that_start_at_once_put_it_in_once(
    empty: Application, admin: httpx.AsyncClient
) -> None:
    with empty.resources.context("test"):
        async with unit_of_work() as work:
            await work.session.execute(update(MenuTree).values(seeded=[]))
    notes = page("notes") | {"parent": "system"}
    outcomes = await contend(4, lambda: start(empty, notes))
    assert outcomes.errors == []
    [[name, pages]] = await shape(admin)
    assert (name, pages.pop()) == ("system", "notes")
    assert [code if isinstance(code, str) else code[0] for code in pages] == [
        f"system.{name}" for name in PAGES
    ]


async def test_a_module_brings_its_own_items(empty: Application, admin: httpx.AsyncClient) -> None:
    await make(admin, directory("system"))
    notes = page("notes", element("notes.create")) | {"parent": "system"}
    await start(empty, notes, directory("more"))
    assert await shape(admin) == [["system", [["notes", ["notes.create"]]]], "more"]
    # A later version brings one more button; what hangs below what is gone is left out.
    known = await ids(admin)
    await admin.delete(f"{MENUS}/{known['more']}")
    later = page("notes", element("notes.create"), element("notes.delete")) | {"parent": "system"}
    await start(empty, later, directory("more", page("most")))
    assert await shape(admin) == [["system", [["notes", ["notes.create", "notes.delete"]]]]]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_item_that_cannot_be_there_keeps_nobody_from_starting(
    empty: Application, admin: httpx.AsyncClient
) -> None:
    await make(admin, directory("system"))
    await start(empty, element("save") | {"parent": "system"}, page("notes"))
    assert await shape(admin) == ["system", "notes"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_declaration_that_is_not_valid_is_named(app: Application) -> None:
    with pytest.raises(
        StartError, match=r"modules\.notes: MODULE\.menus has an item 'notes' whose path is wrong"
    ):
        await start(app, page("notes", path="//example.com"))

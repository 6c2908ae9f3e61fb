"""Rules of roles: what a user reaches over HTTP, how soon a change counts, and who may give what."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import event, insert

from tests.conftest import sign_in
from tests.modules.organization.conftest import Join, create_department
from tests.modules.organization.deal import Deal, DealBase, make_app
from xumi.api import Application
from xumi.kernel import copies
from xumi.kernel.config import Settings
from xumi.kernel.context import current
from xumi.kernel.testing.client import open_client, running

pytestmark = pytest.mark.anyio

# What a test says of who may do what does not depend on the database.
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

DEALS = "/api/v1/deals"
SCOPES = "/api/v1/roles/user/scopes"


@pytest.fixture
async def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Application]:
    """The application with deals in it; it looks for changes of other workers only when a test says so."""
    monkeypatch.setattr(copies, "POLL_SECONDS", 3600)
    application = make_app(settings)
    async with running(application):
        async with application.resources.database.engine.begin() as connection:
            await connection.run_sync(DealBase.metadata.create_all)
        yield application


async def give(admin: httpx.AsyncClient, kind: str, departments: tuple[str, ...] = ()) -> None:
    """Say what the role `user` reaches."""
    rule = {"resource": "deal", "kind": kind, "departments": list(departments)}
    response = await admin.put(SCOPES, json={"scopes": [rule]})
    assert response.status_code == 204, response.text


@pytest.fixture
async def place(app: Application, admin: httpx.AsyncClient, join: Join) -> dict[str, Any]:
    """zoe in `sales`, which has `shop` below it, beside `labs`; a deal of each department and one of zoe's own."""
    sales = await create_department(admin, "sales")
    shop, labs = await create_department(admin, "shop", sales), await create_department(admin, "labs")
    zoe, client = await join("zoe")
    clerk = {"code": "clerk", "title_en": "Clerk", "title_zh": "文员"}
    assert (await admin.post("/api/v1/roles", json=clerk)).status_code == 201
    body = {"main": sales}
    assert (await admin.put(f"/api/v1/users/{zoe}/departments", json=body)).status_code == 204
    rows = [
        {"id": "o-sales", "department_id": sales, "owner_id": None, "amount": 1},
        {"id": "o-shop", "department_id": shop, "owner_id": None, "amount": 2},
        {"id": "o-labs", "department_id": labs, "owner_id": None, "amount": 3},
        {"id": "o-zoe", "department_id": None, "owner_id": zoe, "amount": 4},
    ]
    async with app.resources.database.engine.begin() as connection:
        await connection.execute(insert(Deal), rows)
    return {"zoe": client, "zoe_id": zoe, "sales": sales, "shop": shop, "labs": labs}


async def seen(client: httpx.AsyncClient) -> set[str]:
    """The deals that a list, its total, a file and single reads agree on."""
    page = (await client.get(DEALS)).json()["data"]
    found = {item["id"] for item in page["items"]}
    assert page["total"] == len(found)
    file = (await client.get(DEALS, params={"export": "csv"})).text.splitlines()[1:]
    assert {line.split(",")[0] for line in file} == found
    for deal in ("o-sales", "o-shop", "o-labs", "o-zoe"):
        assert (await client.get(f"{DEALS}/{deal}")).status_code == (200 if deal in found else 404)
    return found


async def test_each_kind_opens_what_it_says(admin: httpx.AsyncClient, place: dict[str, Any]) -> None:
    everything = {"o-sales", "o-shop", "o-labs", "o-zoe"}
    assert await seen(admin) == everything
    assert await seen(place["zoe"]) == set()
    for kind, expected in (
        ("all", everything),
        ("department", {"o-sales"}),
        ("department-tree", {"o-sales", "o-shop"}),
        ("own", {"o-zoe"}),
    ):
        await give(admin, kind)
        assert await seen(place["zoe"]) == expected
    await give(admin, "custom", (place["labs"],))
    assert await seen(place["zoe"]) == {"o-labs"}
    assert (await admin.put(SCOPES, json={"scopes": []})).status_code == 204
    assert await seen(place["zoe"]) == set()


async def test_writes_keep_to_what_is_seen(admin: httpx.AsyncClient, place: dict[str, Any]) -> None:
    zoe = place["zoe"]
    await give(admin, "department-tree")
    assert (await zoe.patch(f"{DEALS}/o-shop")).status_code == 204
    assert (await zoe.patch(f"{DEALS}/o-labs")).status_code == 404
    assert (await zoe.post(f"{DEALS}/double")).status_code == 204
    assert await amounts(admin) == {"o-sales": 2, "o-shop": 8, "o-labs": 3, "o-zoe": 4}
    for department, status in (("sales", 201), ("shop", 201), ("labs", 403)):
        body = {"department_id": place[department], "amount": 1}
        assert (await zoe.post(DEALS, json=body)).status_code == status
    assert (await zoe.delete(DEALS)).status_code == 204
    assert set(await amounts(admin)) == {"o-labs", "o-zoe"}


async def amounts(admin: httpx.AsyncClient) -> dict[str, int]:
    """All deals."""
    items = (await admin.get(DEALS)).json()["data"]["items"]
    return {item["id"]: item["amount"] for item in items}


async def test_a_public_route_shows_nothing_unless_it_says_so(
    client: httpx.AsyncClient, place: dict[str, Any]
) -> None:
    response = await client.get(f"{DEALS}/open")
    assert response.json()["data"] == {"seen": 0, "all": 4}


async def test_another_worker_learns_of_every_kind_of_change(
    settings: Settings, admin: httpx.AsyncClient, place: dict[str, Any]
) -> None:
    other = make_app(settings)
    async with running(other), open_client(other) as there:
        there.headers = place["zoe"].headers

        async def sees() -> set[str]:
            with other.resources.context("test"):
                await other.resources.copies.look()
            return await seen(there)

        assert await sees() == set()
        await give(admin, "department-tree")
        assert await seen(there) == set()
        assert await sees() == {"o-sales", "o-shop"}
        body: dict[str, Any] = {"parent_id": place["sales"]}
        assert (await admin.post(f"/api/v1/departments/{place['labs']}/move", json=body)).status_code == 204
        assert await sees() == {"o-sales", "o-shop", "o-labs"}
        body = {"main": place["shop"]}
        url = f"/api/v1/users/{place['zoe_id']}/departments"
        assert (await admin.put(url, json=body)).status_code == 204
        assert await sees() == {"o-shop"}
        assert (await admin.put(url, json={"main": None})).status_code == 204
        assert await sees() == set()


@on_one_database
async def test_a_worker_looks_by_itself(
    settings: Settings,
    admin: httpx.AsyncClient,
    place: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copies, "POLL_SECONDS", 0.05)
    other = make_app(settings)
    async with running(other), open_client(other) as there:
        there.headers = place["zoe"].headers
        await give(admin, "own")
        async with asyncio.timeout(20):
            while (await there.get(DEALS)).json()["data"]["total"] != 1:
                await asyncio.sleep(0.05)


async def test_a_request_asks_no_more_of_the_database_than_without_a_scope(
    app: Application, admin: httpx.AsyncClient, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await give(admin, "department-tree")
    statements: list[str] = []

    def note(statement: str) -> None:
        # Watchers ask beside the requests.
        if current().is_request:
            statements.append(statement)

    runner: Any = app.resources.database.read.runner
    for name in ("fetch", "fetch_two"):
        real = getattr(runner, name)

        def noting(*arguments: Any, real: Any = real) -> Any:
            note(arguments[0].sql)
            return real(*arguments)

        monkeypatch.setattr(runner, name, noting)
    engine = app.resources.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *told: note(told[2]))
    assert await seen(place["zoe"]) == {"o-sales", "o-shop"}
    # A page and four deals; the file streams.
    assert len(statements) == 5
    assert all("t_deal" in statement for statement in statements)


@on_one_database
async def test_rules_that_cannot_be_are_refused_and_named(
    admin: httpx.AsyncClient, place: dict[str, Any]
) -> None:
    good = {"resource": "deal", "kind": "own"}
    for rules, field in (
        ([{"resource": "nothing", "kind": "own"}], "scopes.0.resource"),
        ([good, good], "scopes.1.resource"),
        ([{**good, "kind": "custom"}], "scopes.0.departments"),
        ([{**good, "kind": "custom", "departments": ["0"]}], "scopes.0.departments"),
        ([{**good, "departments": [place["labs"]]}], "scopes.0.departments"),
        ([{**good, "kind": "some"}], "scopes.0.kind"),
    ):
        response = await admin.put(SCOPES, json={"scopes": rules})
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)
    assert (await admin.get(SCOPES)).json()["data"]["scopes"] == []
    assert (await admin.get("/api/v1/roles/No Role/scopes")).status_code == 422


async def test_rules_are_read_as_they_were_set(admin: httpx.AsyncClient, place: dict[str, Any]) -> None:
    await give(admin, "custom", (place["labs"],))
    found = (await admin.get(SCOPES)).json()["data"]
    assert found["scopes"] == [{"resource": "deal", "kind": "custom", "departments": [place["labs"]]}]
    assert "deal" in found["resources"]
    assert (await admin.delete(f"/api/v1/departments/{place['labs']}")).status_code == 204
    assert (await admin.get(SCOPES)).json()["data"]["scopes"][0]["departments"] == []
    assert await seen(place["zoe"]) == set()


MAY_GIVE = {
    "all": {"all", "department", "department-tree", "own", "sales", "labs"},
    "department-tree": {"department", "department-tree", "own", "sales"},
    "department": {"department", "own", "sales"},
    "own": {"own"},
    "custom": {"own", "labs"},
    "nothing": set(),
}


@on_one_database
@pytest.mark.parametrize("held", MAY_GIVE)
async def test_nobody_gives_a_wider_scope_than_his_own(
    app: Application, admin: httpx.AsyncClient, place: dict[str, Any], held: str
) -> None:
    grant(app, "scope:replace", "scope:read")
    if held != "nothing":
        await give(admin, held, (place["labs"],) if held == "custom" else ())
    given = set()
    for kind in ("all", "department", "department-tree", "own", "sales", "labs"):
        listed = [place[kind]] if kind in place else []
        rule = {"resource": "deal", "kind": "custom" if listed else kind, "departments": listed}
        response = await place["zoe"].put("/api/v1/roles/clerk/scopes", json={"scopes": [rule]})
        if response.status_code == 204:
            given.add(kind)
            assert (await admin.put("/api/v1/roles/clerk/scopes", json={"scopes": []})).status_code == 204
        else:
            assert (response.status_code, response.json()["code"]) == (403, 40370)
    assert given == MAY_GIVE[held]


def grant(app: Application, *permissions: str) -> None:
    """Let the role `user` do more."""
    access = app.resources.access
    access.replace_roles({"admin": {"*"}, "user": {"deal:list", "deal:change", *permissions}})


@on_one_database
async def test_a_wider_rule_that_is_there_may_stay(
    app: Application, admin: httpx.AsyncClient, place: dict[str, Any]
) -> None:
    rule = {"resource": "deal", "kind": "all"}
    assert (await admin.put("/api/v1/roles/clerk/scopes", json={"scopes": [rule]})).status_code == 204
    grant(app, "scope:replace")
    assert (await place["zoe"].put("/api/v1/roles/clerk/scopes", json={"scopes": [rule]})).status_code == 204


@on_one_database
async def test_nobody_changes_his_own_departments(app: Application, place: dict[str, Any]) -> None:
    grant(app, "department:set-members")
    zoe = place["zoe"]
    for url, body in (
        (f"/api/v1/users/{place['zoe_id']}/departments", {"main": place["labs"]}),
        (f"/api/v1/departments/{place['labs']}/members", {"user_ids": [place["zoe_id"]]}),
        (f"/api/v1/departments/{place['sales']}/members", {"user_ids": []}),
    ):
        response = await zoe.put(url, json=body)
        assert (response.status_code, response.json()["code"]) == (403, 40371)


COPY = {"code": "copy", "title_en": "Copy", "title_zh": "副本"}


async def clone(client: httpx.AsyncClient) -> tuple[int, int]:
    """Clone the role `clerk`; returns the status and the code of the answer."""
    response = await client.post("/api/v1/roles/clerk/clone", json=COPY)
    return response.status_code, response.json()["code"]


async def test_a_clone_opens_what_its_original_does(admin: httpx.AsyncClient, place: dict[str, Any]) -> None:
    rule = {"resource": "deal", "kind": "custom", "departments": [place["labs"]]}
    assert (await admin.put("/api/v1/roles/clerk/scopes", json={"scopes": [rule]})).status_code == 204
    assert await clone(admin) == (201, 201)
    found = (await admin.get("/api/v1/roles/copy/scopes")).json()["data"]
    assert found["scopes"] == [rule]
    body = {"roles": ["user", "copy"]}
    assert (await admin.patch(f"/api/v1/users/{place['zoe_id']}", json=body)).status_code == 204
    await sign_in(place["zoe"], "zoe")
    assert await seen(place["zoe"]) == {"o-labs"}
    # The two go their own ways from here.
    assert (await admin.put("/api/v1/roles/clerk/scopes", json={"scopes": []})).status_code == 204
    assert await seen(place["zoe"]) == {"o-labs"}
    entries = (await admin.get("/api/v1/audit", params={"subject": "role:copy"})).json()["data"]["items"]
    assert {entry["action"]: entry["after"] for entry in entries}["scope.replaced"] == {
        "deal": {"kind": "custom", "departments": [place["labs"]]}
    }


@on_one_database
@pytest.mark.parametrize("held", MAY_GIVE)
async def test_nobody_clones_a_wider_scope_than_his_own(
    app: Application, admin: httpx.AsyncClient, place: dict[str, Any], held: str
) -> None:
    if held != "nothing":
        await give(admin, held, (place["labs"],) if held == "custom" else ())
    cloned = set()
    for kind in ("all", "department", "department-tree", "own", "sales", "labs"):
        listed = [place[kind]] if kind in place else []
        rule = {"resource": "deal", "kind": "custom" if listed else kind, "departments": listed}
        assert (await admin.put("/api/v1/roles/clerk/scopes", json={"scopes": [rule]})).status_code == 204
        grant(app, "role:create")
        answer = await clone(place["zoe"])
        if answer == (201, 201):
            cloned.add(kind)
            assert (await admin.delete("/api/v1/roles/copy")).status_code == 204
        else:
            assert answer == (403, 40370)
            assert (await admin.get("/api/v1/roles/copy")).status_code == 404
    assert cloned == MAY_GIVE[held]

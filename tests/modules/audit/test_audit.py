"""The audit log: every change of access is in it, with who, what, before, after and the request; nobody changes it."""

import csv
import io
from typing import Any

import pytest

from tests.conftest import PASSWORD
from tests.modules.account.conftest import Person, SignIn
from xumi.api import Application
from xumi.kernel import clock
from xumi.kernel.db.session import unit_of_work
from xumi.modules.audit.service import record

AUDIT, ROLES, USERS = "/api/v1/audit", "/api/v1/roles", "/api/v1/users"


async def entries(chief: Person, **query: Any) -> list[dict[str, Any]]:
    """The entries that match, the newest first."""
    response = await chief.client.get(AUDIT, params={"size": 100, **query})
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["data"]["items"]
    return items


async def test_each_change_of_a_role_is_told(chief: Person, sign_up: SignIn) -> None:
    bob = await sign_up("bob")
    titles = {"title_en": "Clerk", "title_zh": "文员"}
    start = {**titles, "second_factor_required": False}
    for request_id, (method, path, body) in enumerate(
        (
            ("POST", ROLES, {"code": "clerk", **titles}),
            ("PATCH", f"{ROLES}/clerk", {"title_en": "Senior"}),
            ("PUT", f"{ROLES}/clerk/permissions", {"permissions": ["user:list"]}),
            ("PUT", f"{ROLES}/clerk/includes", {"includes": ["user"]}),
            ("POST", f"{ROLES}/clerk/disable", None),
            ("POST", f"{ROLES}/clerk/enable", None),
            ("POST", f"{ROLES}/clerk/clone", {"code": "copy", **titles}),
            ("PATCH", f"{USERS}/{bob.id}", {"roles": ["clerk"]}),
            ("DELETE", f"{ROLES}/clerk?migrate_to=copy", None),
        )
    ):
        response = await chief.client.request(
            method, path, json=body, headers={"X-Request-ID": f"change-{request_id}"}
        )
        assert response.is_success, response.text
        # What changes nothing is no change: it is not told again.
        await chief.client.patch(f"{USERS}/{bob.id}", json={"username": "bob"})
    told = await entries(chief, actor_id=chief.id)
    assert {(entry["actor"], entry["ip"]) for entry in told} == {("admin", "127.0.0.1")}
    seen = [
        (each["request_id"], each["action"], each["subject"], each["before"], each["after"])
        for each in reversed(told)
    ]
    copied = {"permissions": ["user:list"], "includes": ["user"]}
    assert seen[:-2] == [
        ("change-0", "role.created", "role:clerk", None, start),
        ("change-1", "role.updated", "role:clerk", {"title_en": "Clerk"}, {"title_en": "Senior"}),
        ("change-2", "role.granted", "role:clerk", {"permissions": []}, {"permissions": ["user:list"]}),
        ("change-3", "role.included", "role:clerk", {"includes": []}, {"includes": ["user"]}),
        ("change-4", "role.disabled", "role:clerk", {"enabled": True}, {"enabled": False}),
        ("change-5", "role.enabled", "role:clerk", {"enabled": False}, {"enabled": True}),
        ("change-6", "role.created", "role:copy", None, start | copied),
        ("change-7", "user.updated", f"user:{bob.id}", {"roles": ["user"]}, {"roles": ["clerk"]}),
    ]
    # The two of one transaction have no order between them.
    deleted = {"title_en": "Senior", "title_zh": "文员", "enabled": True, **copied}
    after = {"migrated_to": "copy", "users": 1}
    assert sorted(seen[-2:], key=lambda each: each[1]) == [
        ("change-8", "role.deleted", "role:clerk", deleted, after),
        ("change-8", "user.updated", f"user:{bob.id}", {"roles": ["clerk"]}, {"roles": ["copy"]}),
    ]


async def test_each_change_of_a_user_is_told_without_secrets(chief: Person, sign_in: SignIn) -> None:
    body = {"username": "eve", "email": "eve@example.com", "password": PASSWORD}
    eve = (await chief.client.post(USERS, json=body)).json()["data"]
    facts = {"username": "eve", "email": "eve@example.com", "roles": ["user"], "enabled": True}
    await chief.client.post(f"{USERS}/{eve}/disable")
    await chief.client.patch(f"{USERS}/{eve}", json={"email": "e@example.com"})
    await chief.client.post(f"{USERS}/{eve}/reset-password", json={"password": "another battery"})
    await chief.client.delete(f"{USERS}/{eve}")
    change = {"old_password": PASSWORD, "new_password": f"{PASSWORD}!"}
    assert (await chief.client.post("/auth/password", json=change)).status_code == 204
    chief = await sign_in("admin", change["new_password"])
    told = await entries(chief, actor="ADM")
    assert [(entry["action"], entry["before"], entry["after"]) for entry in reversed(told)] == [
        ("user.created", None, facts),
        ("user.updated", {"enabled": True}, {"enabled": False}),
        ("user.updated", {"email": "eve@example.com"}, {"email": "e@example.com"}),
        ("user.password_reset", None, None),
        ("user.deleted", facts | {"email": "e@example.com", "enabled": False}, None),
        ("user.password_changed", None, None),
    ]
    assert PASSWORD not in str(told)
    assert "battery" not in str(told)
    assert "argon2" not in str(await entries(chief))


async def test_what_nobody_did_who_had_signed_in_is_the_systems(chief: Person, sign_up: SignIn) -> None:
    bob = await sign_up("bob")
    (registered,) = await entries(chief, subject=f"user:{bob.id}")
    assert (registered["actor"], registered["actor_id"], registered["ip"]) == ("system", None, "127.0.0.1")
    assert {entry["actor"] for entry in await entries(chief)} == {"system"}
    seeded = await entries(chief, action="role.granted")
    assert [entry["subject"] for entry in seeded] == ["role:user"]
    assert "poster:add" in seeded[0]["after"]["permissions"]


async def test_it_is_filtered_paged_and_exported(app: Application, chief: Person) -> None:
    with app.resources.context("test"):
        for number in range(5):
            with clock.travel(seconds=number):
                async with unit_of_work() as work:
                    record(work.session, "thing.made", f"thing:{number}", None, {"number": number})
    first = (await chief.client.get(AUDIT, params={"action": "thing.made", "size": 3})).json()["data"]
    assert (len(first["items"]), first["total"]) == (3, 5)
    rest = await chief.client.get(AUDIT, params={"action": "thing.made", "size": 3, "after": first["next"]})
    subjects = [item["subject"] for item in (*first["items"], *rest.json()["data"]["items"])]
    assert subjects == [f"thing:{number}" for number in reversed(range(5))]
    newest = first["items"][0]
    assert [item["id"] for item in await entries(chief, at=f"{newest['at']}..")] == [newest["id"]]
    assert [item["id"] for item in await entries(chief, subject=newest["subject"])] == [newest["id"]]
    assert await entries(chief, request_id="nothing") == []
    export = await chief.client.get(AUDIT, params={"action": "thing.made", "export": "csv"})
    rows = list(csv.DictReader(io.StringIO(export.content.decode("utf-8-sig"))))
    assert len(rows) == 5
    assert {row["after"] for row in rows} == {f'{{"number":{number}}}' for number in range(5)}
    for query in ({"sort": "actor"}, {"at": "yesterday"}, {"ip": "x"}, {"after": "x"}):
        assert (await chief.client.get(AUDIT, params=query)).status_code == 422, query


async def test_nobody_changes_it(app: Application, chief: Person, sign_up: SignIn) -> None:
    bob = await sign_up("bob")
    assert (await bob.client.get(AUDIT)).status_code == 403
    methods = {m for route in app.table.routes if route.path.startswith(AUDIT) for m in route.methods or ()}
    assert methods == {"GET"}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await chief.client.request(method, AUDIT)).status_code == 405


async def test_a_change_that_fails_is_not_told(app: Application, chief: Person) -> None:
    async def fail() -> None:
        async with unit_of_work() as work:
            record(work.session, "thing.made", "thing:1", None, None)
            await work.session.flush()
            raise ZeroDivisionError

    with app.resources.context("test"), pytest.raises(ZeroDivisionError):
        await fail()
    assert await entries(chief, action="thing.made") == []

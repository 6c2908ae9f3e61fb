"""Managing accounts: every endpoint, what may be found and sorted, and that an administrator always remains."""

import asyncio
import csv
import io
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.conftest import PASSWORD
from tests.modules.account.conftest import Person, SignIn
from xumi.api import Application

USERS = "/api/v1/users"
FACTS = {"username": "carol", "email": "carol@example.com", "roles": ["user"], "enabled": True}


async def make(chief: Person, username: str, **more: Any) -> str:
    body = {"username": username, "email": f"{username}@example.com", "password": PASSWORD} | more
    response = await chief.client.post(USERS, json=body)
    assert response.status_code == 201, response.text
    user_id: str = response.json()["data"]
    return user_id


async def show(chief: Person, user_id: str) -> dict[str, Any]:
    response = await chief.client.get(f"{USERS}/{user_id}")
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def names(chief: Person, **query: Any) -> list[str]:
    """The names on the page, asked for both ways."""
    by_get = await chief.client.get(USERS, params=query)
    assert by_get.status_code == 200, by_get.text
    by_post = await chief.client.post(f"{USERS}/query", json=query)
    assert by_post.json() == by_get.json()
    return [item["username"] for item in by_get.json()["data"]["items"]]


def refusal(response: httpx.Response) -> tuple[int, int, list[str]]:
    body = response.json()
    return response.status_code, body["code"], [error["field"] for error in body.get("errors", [])]


async def test_an_account_is_made_shown_and_can_sign_in(chief: Person, sign_in: SignIn) -> None:
    user_id = await make(chief, "Carol", roles=["admin", "user"])
    shown = await show(chief, user_id)
    assert shown == {
        "id": user_id,
        "username": "Carol",
        "email": "Carol@example.com",
        "roles": ["admin", "user"],
        "enabled": True,
        "last_login_at": None,
        "created_at": shown["created_at"],
        "updated_at": shown["updated_at"],
    }
    assert (await sign_in("carol")).id == user_id
    signed_in = await show(chief, user_id)
    assert signed_in["last_login_at"] is not None
    assert signed_in["updated_at"] == shown["updated_at"]
    assert (await show(chief, await make(chief, "dave")))["roles"] == ["user"]


async def test_what_cannot_be_made_is_refused(chief: Person) -> None:
    await make(chief, "carol")
    body = {"username": "dave", "email": "dave@example.com", "password": PASSWORD}
    for change, expected in (
        ({"username": "CAROL"}, (409, 40901, ["username"])),
        ({"email": "Carol@example.com"}, (409, 40901, ["email"])),
        ({"password": "short"}, (422, 42200, ["password"])),
        ({"roles": ["chief"]}, (422, 42200, ["roles.0"])),
        ({"roles": []}, (422, 42200, ["roles"])),
        ({"id": "0" * 26}, (422, 42200, ["id"])),
        ({"epoch": 9}, (422, 42200, ["epoch"])),
    ):
        status, code, fields = refusal(await chief.client.post(USERS, json=body | change))
        assert (status, code) == expected[:2], change
        assert [field.partition(".")[0] for field in fields] == [
            field.partition(".")[0] for field in expected[2]
        ]


async def test_put_sets_everything(chief: Person, sign_up: SignIn) -> None:
    bob = await sign_up("bob")
    response = await chief.client.put(f"{USERS}/{bob.id}", json=FACTS)
    assert (response.status_code, response.content) == (204, b"")
    shown = await show(chief, bob.id)
    assert {name: shown[name] for name in FACTS} == FACTS
    for missing in FACTS:
        body = {name: value for name, value in FACTS.items() if name != missing}
        assert refusal(await chief.client.put(f"{USERS}/{bob.id}", json=body)) == (422, 42200, [missing])
    assert (await chief.client.get(USERS)).status_code == 200
    # Neither roles nor state have changed: his access goes on.
    assert (await bob.client.get(f"/auth/profile/{bob.id}")).status_code == 200


async def test_patch_sets_what_is_given(chief: Person) -> None:
    user_id = await make(chief, "carol")
    before = await show(chief, user_id)
    for change in (
        {"username": "carla"},
        {"email": "c@example.com"},
        {"roles": ["admin"]},
        {"enabled": False},
        {},
    ):
        assert (await chief.client.patch(f"{USERS}/{user_id}", json=change)).status_code == 204
        after = await show(chief, user_id)
        before |= change | {"updated_at": after["updated_at"]}
        assert after == before


async def test_a_taken_name_is_refused_and_nothing_changes(chief: Person) -> None:
    user_id = await make(chief, "carol")
    before = await show(chief, user_id)
    body = {"username": "ADMIN", "roles": ["admin"], "enabled": False}
    assert refusal(await chief.client.patch(f"{USERS}/{user_id}", json=body)) == (409, 40901, ["username"])
    assert await show(chief, user_id) == before
    assert (await chief.client.patch(f"{USERS}/{user_id}", json={"username": "CAROL"})).status_code == 204


async def test_what_does_not_exist_is_404(chief: Person) -> None:
    nobody = f"{USERS}/{'0' * 26}"
    calls = [
        chief.client.get(nobody),
        chief.client.put(nobody, json=FACTS),
        chief.client.patch(nobody, json={"enabled": False}),
        chief.client.delete(nobody),
        chief.client.post(f"{nobody}/enable"),
        chief.client.post(f"{nobody}/disable"),
        chief.client.post(f"{nobody}/reset-password", json={"password": PASSWORD}),
    ]
    assert [(await call).status_code for call in calls] == [404] * len(calls)


async def test_one_or_many_are_deleted(chief: Person, sign_up: SignIn) -> None:
    people = [await sign_up(name) for name in ("bob", "carol", "dave", "erin")]
    assert (await chief.client.delete(f"{USERS}/{people[0].id}")).status_code == 204
    assert (await chief.client.delete(f"{USERS}/{people[0].id}")).status_code == 404
    ids = [people[1].id, people[2].id, "0" * 26]
    response = await chief.client.request("DELETE", USERS, json=ids)
    assert (response.status_code, response.content) == (204, b"")
    assert await names(chief) == ["erin", "admin"]
    for person in people[:3]:
        assert (await person.client.get(f"/auth/profile/{person.id}")).status_code == 401
        refresh = {"refresh_token": person.refresh_token}
        assert (await chief.client.post("/auth/refresh", json=refresh)).status_code == 401
    for body in ([], "x", {"ids": ids}, [1], ["0"] * 1001):
        assert (await chief.client.request("DELETE", USERS, json=body)).status_code == 422


async def test_disabled_means_no_access_at_once_and_enabled_again_means_signing_in(
    chief: Person, sign_up: SignIn, sign_in: SignIn, client: httpx.AsyncClient
) -> None:
    bob = await sign_up("bob")
    login = {"username": "bob", "password": PASSWORD}
    assert (await chief.client.post(f"{USERS}/{bob.id}/disable")).status_code == 204
    assert (await bob.client.get(f"/auth/profile/{bob.id}")).status_code == 401
    assert (await client.post("/auth/refresh", json={"refresh_token": bob.refresh_token})).status_code == 401
    assert (await client.post("/auth/login", json=login)).status_code == 401
    assert (await chief.client.post(f"{USERS}/{bob.id}/enable")).status_code == 204
    assert (await bob.client.get(f"/auth/profile/{bob.id}")).status_code == 401
    assert (await client.post("/auth/refresh", json={"refresh_token": bob.refresh_token})).status_code == 401
    await sign_in("bob")


async def test_a_reset_password_ends_all_sessions(chief: Person, sign_up: SignIn, sign_in: SignIn) -> None:
    bob = await sign_up("bob")
    path = f"{USERS}/{bob.id}/reset-password"
    assert refusal(await chief.client.post(path, json={"password": "bob"})) == (422, 42200, ["password"])
    assert refusal(await chief.client.post(path, json={"password": "Bob@Example.com"})) == (
        422,
        42200,
        ["password"],
    )
    assert (await chief.client.post(path, json={"password": "another battery"})).status_code == 204
    assert (await bob.client.get(f"/auth/profile/{bob.id}")).status_code == 401
    assert (
        await chief.client.post("/auth/refresh", json={"refresh_token": bob.refresh_token})
    ).status_code == 401
    await sign_in("bob", "another battery")


async def test_new_roles_count_after_a_refresh(chief: Person, sign_up: SignIn) -> None:
    bob = await sign_up("bob")
    assert (await bob.client.get(USERS)).status_code == 403
    await chief.client.patch(f"{USERS}/{bob.id}", json={"roles": ["admin"]})
    expired = await bob.client.get(USERS)
    assert refusal(expired)[:2] == (401, 40102)
    tokens = await bob.client.post("/auth/refresh", json={"refresh_token": bob.refresh_token})
    bob.client.headers["Authorization"] = f"Bearer {tokens.json()['data']['access_token']}"
    assert (await bob.client.get(USERS)).status_code == 200


async def test_lists_are_filtered_sorted_and_paged(chief: Person) -> None:
    for number, name in enumerate(("bob", "Carol", "carl_x", "dave")):
        await make(chief, name, enabled=number != 3, roles=["user"] if number else ["admin"])
    assert await names(chief) == ["dave", "carl_x", "Carol", "bob", "admin"]
    assert await names(chief, username="CAR", sort="username") == ["carl_x", "Carol"]
    assert await names(chief, username="_") == ["carl_x"]
    assert await names(chief, email="bob@") == ["bob"]
    assert await names(chief, enabled=False) == ["dave"]
    assert await names(chief, role="admin", sort="-username") == ["bob", "admin"]
    assert await names(chief, role="nobody") == []
    assert await names(chief, sort="username", size=2, page=2) == ["carl_x", "Carol"]
    assert await names(chief, sort="-enabled,username", size=1) == ["admin"]
    made = (await show(chief, await make(chief, "erin")))["created_at"]
    assert await names(chief, created_at=f"{made}..") == ["erin"]
    assert "erin" not in await names(chief, created_at="..2020-01-01T00:00:00Z")
    page = (await chief.client.get(USERS, params={"size": 2, "role": "user"})).json()["data"]
    assert (page["page"], page["size"], page["total"], len(page["items"])) == (1, 2, 5, 2)
    assert {tuple(item["roles"]) for item in page["items"]} == {("user",)}


async def test_a_query_that_is_not_understood_is_refused(chief: Person) -> None:
    for query, field in (
        ({"sort": "password_hash"}, "sort"),
        ({"sort": "username;drop"}, "sort"),
        ({"size": 0}, "size"),
        ({"size": 10_000}, "size"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": "2026-01-01T00:00:00.."}, "created_at.start"),
        ({"password_hash": "x"}, "password_hash"),
    ):
        for response in (
            await chief.client.get(USERS, params=query),
            await chief.client.post(f"{USERS}/query", json=query),
        ):
            status, code, fields = refusal(response)
            assert (status, code) == (422, 42200)
            assert fields[0].partition(".")[0] == field.partition(".")[0]


async def test_the_list_is_exported_as_filtered(chief: Person) -> None:
    await make(chief, "bob")
    await make(chief, "carol", email="carol+tag@example.com")
    response = await chief.client.get(USERS, params={"export": "csv", "username": "carol"})
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert [(row["username"], row["email"]) for row in rows] == [("carol", "carol+tag@example.com")]
    assert "password_hash" not in rows[0]
    sheet = await chief.client.get(USERS, params={"export": "xlsx"})
    assert sheet.content[:2] == b"PK"


ROUTES = [
    ("GET", "", "user:list"),
    ("POST", "/query", "user:list"),
    ("GET", "/{id}", "user:read"),
    ("POST", "", "user:create"),
    ("PUT", "/{id}", "user:replace"),
    ("PATCH", "/{id}", "user:update"),
    ("DELETE", "/{id}", "user:delete"),
    ("DELETE", "", "user:delete"),
    ("POST", "/{id}/enable", "user:enable"),
    ("POST", "/{id}/disable", "user:disable"),
    ("POST", "/{id}/reset-password", "user:reset-password"),
]


async def test_each_endpoint_asks_for_its_own_permission(
    app: Application, client: httpx.AsyncClient, sign_up: SignIn
) -> None:
    bob = await sign_up("bob")
    every = {permission for _, _, permission in ROUTES}
    for method, path, permission in ROUTES:
        url = USERS + path.format(id="0" * 26)
        assert (await client.request(method, url)).status_code == 401
        for granted, expected in ((every - {permission}, {403}), ({permission}, {200, 204, 404, 422})):
            app.resources.access.replace_roles({"user": granted})
            assert (await bob.client.request(method, url, json={})).status_code in expected, (
                method,
                path,
                granted,
            )


async def test_who_manages_users_neither_becomes_nor_unmakes_an_administrator(
    app: Application, chief: Person, sign_up: SignIn
) -> None:
    bob, carol = await sign_up("bob"), await sign_up("carol")
    everything = {permission for _, _, permission in ROUTES}
    app.resources.access.replace_roles({"admin": {"*"}, "user": everything})
    attempts = [
        bob.client.patch(f"{USERS}/{bob.id}", json={"roles": ["admin"]}),
        bob.client.put(f"{USERS}/{bob.id}", json=FACTS | {"roles": ["admin"]}),
        bob.client.post(
            USERS, json={"username": "x", "email": "x@example.com", "password": PASSWORD, "roles": ["admin"]}
        ),
        bob.client.patch(f"{USERS}/{chief.id}", json={"email": "bob@evil.example"}),
        bob.client.post(f"{USERS}/{chief.id}/reset-password", json={"password": "mine, all mine"}),
        bob.client.post(f"{USERS}/{chief.id}/disable"),
        bob.client.delete(f"{USERS}/{chief.id}"),
        bob.client.request("DELETE", USERS, json=[carol.id, chief.id]),
    ]
    assert {refusal(await attempt)[:2] for attempt in attempts} == {(403, 40310)}
    assert (
        await bob.client.patch(f"{USERS}/{carol.id}", json={"email": "new@example.com"})
    ).status_code == 204


async def test_the_last_administrator_stays(chief: Person, sign_up: SignIn) -> None:
    await make(chief, "disabled-admin", roles=["admin"], enabled=False)
    bob = await sign_up("bob")
    attempts = [
        chief.client.post(f"{USERS}/{chief.id}/disable"),
        chief.client.patch(f"{USERS}/{chief.id}", json={"roles": ["user"]}),
        chief.client.put(f"{USERS}/{chief.id}", json=FACTS),
        chief.client.delete(f"{USERS}/{chief.id}"),
        chief.client.request("DELETE", USERS, json=[bob.id, chief.id]),
    ]
    assert {refusal(await attempt)[:2] for attempt in attempts} == {(409, 40910)}
    assert (await bob.client.get(f"/auth/profile/{bob.id}")).status_code == 200
    assert (await show(chief, chief.id))["roles"] == ["admin", "user"]
    second = await make(chief, "second", roles=["admin"])
    assert (await chief.client.post(f"{USERS}/{second}/disable")).status_code == 204
    assert (await chief.client.post(f"{USERS}/{second}/enable")).status_code == 204
    assert (await chief.client.delete(f"{USERS}/{chief.id}")).status_code == 204


@pytest.mark.parametrize("way", ["disable", "patch", "delete", "delete many"])
async def test_two_administrators_cannot_remove_each_other_at_once(
    app: Application, chief: Person, sign_in: SignIn, way: str
) -> None:
    def attack(attacker: Person, victim: Person) -> Any:
        if way == "disable":
            return attacker.client.post(f"{USERS}/{victim.id}/disable")
        if way == "patch":
            return attacker.client.patch(f"{USERS}/{victim.id}", json={"roles": ["user"]})
        if way == "delete":
            return attacker.client.delete(f"{USERS}/{victim.id}")
        return attacker.client.request("DELETE", USERS, json=[victim.id])

    await make(chief, "rival", roles=["admin"])
    rival = await sign_in("rival")
    answers = await asyncio.gather(attack(chief, rival), attack(rival, chief))
    # The slower one is refused by the rule, or has lost his access already.
    assert sorted(answer.status_code for answer in answers)[0] == 204
    assert sorted(answer.status_code for answer in answers)[1] in (401, 409)
    query = text(
        "select count(*) from account_user u join account_user_role r on r.user_id = u.id "
        "where u.enabled and r.role = 'admin'"
    )
    async with app.resources.database.engine.connect() as connection:
        assert await connection.scalar(query) == 1


async def test_users_that_are_edited_at_once_keep_one_of_the_edits(chief: Person) -> None:
    user_id = await make(chief, "carol")
    changes = [
        chief.client.patch(f"{USERS}/{user_id}", json={"roles": roles})
        for roles in (["admin"], ["user"], ["admin", "user"]) * 4
    ]
    assert {response.status_code for response in await asyncio.gather(*changes)} == {204}
    assert (await show(chief, user_id))["roles"] in (["admin"], ["user"], ["admin", "user"])

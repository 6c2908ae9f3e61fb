"""Roles: made, edited, cloned, disabled, deleted; what they grant counts at once."""

import httpx

from tests.modules.access.conftest import ROLES, USERS, Employ, Make, granted, refusal
from tests.modules.account.conftest import Person, SignIn

CLERK = {"code": "clerk", "title_en": "Clerk", "title_zh": "文员"}


async def test_a_role_is_made_shown_edited_and_deleted(chief: Person) -> None:
    assert (await chief.client.post(ROLES, json=CLERK)).json()["data"] == "clerk"
    shown = (await chief.client.get(f"{ROLES}/clerk")).json()["data"]
    times = {name: shown[name] for name in ("created_at", "updated_at")}
    state = {"enabled": True, "built_in": False, "second_factor_required": False}
    assert shown == CLERK | state | times
    change = {"title_zh": "职员", "second_factor_required": True}
    assert (await chief.client.patch(f"{ROLES}/clerk", json=change)).status_code == 204
    assert (await chief.client.patch(f"{ROLES}/clerk", json={})).status_code == 204
    listed = (await chief.client.get(ROLES, params={"code": "CL"})).json()["data"]["items"]
    assert [{name: role[name] for name in (*CLERK, *state)} for role in listed] == [CLERK | state | change]
    assert [role["code"] for role in (await chief.client.get(ROLES)).json()["data"]["items"]] == [
        "admin",
        "clerk",
        "user",
    ]
    assert (await chief.client.delete(f"{ROLES}/clerk")).status_code == 204
    assert (await chief.client.get(f"{ROLES}/clerk")).status_code == 404


async def test_bad_input_is_refused_by_field(chief: Person) -> None:
    await chief.client.post(ROLES, json=CLERK)
    for change, expected in (
        ({}, (40901, ["code"])),
        ({"code": "Clerk"}, (42200, ["code"])),
        ({"code": "-x"}, (42200, ["code"])),
        ({"code": "a" * 65}, (42200, ["code"])),
        ({"code": "a,b"}, (42200, ["code"])),
        ({"code": "x", "title_en": ""}, (42200, ["title_en"])),
        ({"code": "x", "built_in": True}, (42200, ["built_in"])),
        ({"code": "x", "id": "0" * 26}, (42200, ["id"])),
    ):
        assert refusal(await chief.client.post(ROLES, json=CLERK | change)) == expected, change
    for body, field in (
        ({"permissions": ["never:heard-of"]}, "permissions"),
        ({"permissions": ["*"]}, "permissions"),
        ({"permissions": "user:list"}, "permissions"),
        ({}, "permissions"),
    ):
        for method in ("PUT", "POST"):
            response = await chief.client.request(method, f"{ROLES}/clerk/permissions", json=body)
            assert refusal(response) == (42200, [field])
    for includes in (["nobody"], ["clerk"], ["A"]):
        response = await chief.client.put(f"{ROLES}/clerk/includes", json={"includes": includes})
        code, fields = refusal(response)
        assert (code, fields[0].partition(".")[0]) == (42200, "includes")


async def test_what_does_not_exist_is_404(chief: Person) -> None:
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"title_en": "x"}),
        ("DELETE", "", None),
        ("POST", "/enable", None),
        ("POST", "/disable", None),
        ("POST", "/clone", CLERK),
        ("GET", "/permissions", None),
        ("PUT", "/permissions", {"permissions": []}),
        ("POST", "/permissions", {"permissions": []}),
        ("DELETE", "/permissions", {"permissions": []}),
        ("GET", "/includes", None),
        ("PUT", "/includes", {"includes": []}),
    ):
        response = await chief.client.request(method, f"{ROLES}/nobody{path}", json=body)
        assert response.status_code == 404, (method, path)


async def test_a_code_that_nobody_could_have_given_is_no_error_of_ours(chief: Person) -> None:
    for code in ("%00", "%F0%9F%98%80", "x" * 2000, "admin%27--", "%2A"):
        for method, path in (("GET", code), ("DELETE", code), ("GET", f"{code}/permissions")):
            response = await chief.client.request(method, f"{ROLES}/{path}")
            assert response.status_code in (404, 405, 422), (method, path)


async def test_permissions_are_set_added_and_taken_and_count_at_once(
    chief: Person, make_role: Make, employ: Employ
) -> None:
    await make_role("clerk")
    carol = await employ("carol", "clerk")
    path = f"{ROLES}/clerk/permissions"

    async def may() -> tuple[int, int]:
        """Listing users, listing roles."""
        users, roles = await carol.client.get(USERS), await carol.client.get(ROLES)
        return users.status_code, roles.status_code

    assert await may() == (403, 403)
    for method, permissions, expected in (
        ("PUT", ["user:list"], (200, 403)),
        ("POST", ["role:list", "user:list"], (200, 200)),
        ("DELETE", ["user:list", "user:read"], (403, 200)),
        ("PUT", ["user:list"], (200, 403)),
        ("PUT", [], (403, 403)),
    ):
        body = {"permissions": permissions}
        assert (await chief.client.request(method, path, json=body)).status_code == 204
        assert await may() == expected


async def test_included_roles_grant_until_they_are_disabled(
    chief: Person, make_role: Make, employ: Employ
) -> None:
    await make_role("reader", "user:list")
    await make_role("clerk", "role:list", includes=("reader",))
    await make_role("senior", includes=("clerk", "user"))
    assert (await chief.client.get(f"{ROLES}/senior/includes")).json()["data"] == {
        "includes": ["clerk", "user"]
    }
    assert await granted(chief, "clerk") == {"own": ["role:list"], "inherited": ["user:list"]}
    carol = await employ("carol", "senior")
    for path in (USERS, ROLES, "/auth/sessions"):
        assert (await carol.client.get(path)).status_code == 200, path
    assert (await chief.client.post(f"{ROLES}/reader/disable")).status_code == 204
    assert [(await carol.client.get(path)).status_code for path in (USERS, ROLES)] == [403, 200]
    assert (await chief.client.post(f"{ROLES}/clerk/disable")).status_code == 204
    assert (await chief.client.post(f"{ROLES}/reader/enable")).status_code == 204
    assert [(await carol.client.get(path)).status_code for path in (USERS, ROLES)] == [403, 403]
    assert (await chief.client.post(f"{ROLES}/clerk/enable")).status_code == 204
    assert [(await carol.client.get(path)).status_code for path in (USERS, ROLES)] == [200, 200]
    assert (
        await chief.client.put(f"{ROLES}/senior/includes", json={"includes": ["user"]})
    ).status_code == 204
    assert [(await carol.client.get(path)).status_code for path in (USERS, ROLES)] == [403, 403]


async def test_a_role_cannot_include_itself_by_way_of_others(chief: Person, make_role: Make) -> None:
    await make_role("a")
    await make_role("b", includes=("a",))
    await make_role("c", includes=("b",))
    for role in ("a", "b", "c"):
        response = await chief.client.put(f"{ROLES}/a/includes", json={"includes": [role, "user"]})
        assert refusal(response) == (42200, ["includes"])
    assert (await chief.client.get(f"{ROLES}/a/includes")).json()["data"]["includes"] == []


async def test_the_administrators_role_cannot_lose_anything(chief: Person) -> None:
    for method, path, body, code in (
        ("PUT", "admin/permissions", {"permissions": []}, 40921),
        ("POST", "admin/permissions", {"permissions": ["user:list"]}, 40921),
        ("DELETE", "admin/permissions", {"permissions": ["user:list"]}, 40921),
        ("PUT", "admin/includes", {"includes": ["user"]}, 40921),
        ("POST", "admin/clone", CLERK, 40921),
        ("POST", "admin/disable", None, 40920),
        ("DELETE", "admin", None, 40920),
        ("DELETE", "admin?migrate_to=user", None, 40920),
        ("POST", "user/disable", None, 40920),
        ("DELETE", "user", None, 40920),
        ("POST", "migrate", {"from_role": "admin", "to_role": "user"}, 40910),
    ):
        response = await chief.client.request(method, f"{ROLES}/{path}", json=body)
        assert refusal(response)[0] == code, (method, path)
    assert await granted(chief, "admin") == {"own": ["*"], "inherited": []}
    assert (await chief.client.get(USERS)).status_code == 200


async def test_a_clone_grants_the_same(chief: Person, make_role: Make, employ: Employ) -> None:
    await make_role("clerk", "role:list", includes=("user",))
    assert (await chief.client.post(f"{ROLES}/clerk/clone", json=CLERK)).status_code == 409
    copy = CLERK | {"code": "copy", "second_factor_required": True}
    assert (await chief.client.post(f"{ROLES}/clerk/clone", json=copy)).json()["data"] == "copy"
    assert await granted(chief, "copy") == await granted(chief, "clerk")
    assert (await chief.client.delete(f"{ROLES}/clerk")).status_code == 204
    lifted = await chief.client.patch(f"{ROLES}/copy", json={"second_factor_required": False})
    assert lifted.status_code == 204
    carol = await employ("carol", "copy")
    assert [(await carol.client.get(path)).status_code for path in (ROLES, USERS)] == [200, 403]


async def test_a_role_that_is_in_use_is_deleted_only_with_another_for_its_users(
    chief: Person, make_role: Make, employ: Employ, sign_in: SignIn
) -> None:
    for role in ("clerk", "senior", "boss"):
        await make_role(role, "user:list")
    await chief.client.put(f"{ROLES}/boss/includes", json={"includes": ["clerk"]})
    carol, dave = await employ("carol", "clerk", "user"), await employ("dave", "clerk", "senior")
    assert refusal(await chief.client.delete(f"{ROLES}/clerk?migrate_to=senior"))[0] == 40923
    await chief.client.put(f"{ROLES}/boss/includes", json={"includes": []})
    refused = await chief.client.delete(f"{ROLES}/clerk")
    assert (refusal(refused)[0], "2 users" in refused.json()["message"]) == (40922, True)
    await chief.client.post(f"{ROLES}/boss/disable")
    for target in ("nobody", "clerk", "boss", "A"):
        response = await chief.client.delete(f"{ROLES}/clerk?migrate_to={target}")
        assert refusal(response) == (42200, ["migrate_to"]), target
    assert (await chief.client.delete(f"{ROLES}/clerk?migrate_to=senior")).status_code == 204
    for person, roles in ((carol, ["senior", "user"]), (dave, ["senior"])):
        # The old token has ended; the next one carries the new role.
        assert (await person.client.get(USERS)).status_code == 401
        assert (await (await sign_in(person.username)).client.get(USERS)).status_code == 200
        assert (await chief.client.get(f"{USERS}/{person.id}")).json()["data"]["roles"] == roles


async def test_users_are_moved_from_one_role_to_another(
    chief: Person, make_role: Make, employ: Employ
) -> None:
    await make_role("clerk")
    await make_role("senior", "user:list")
    carol, dave = await employ("carol", "clerk"), await employ("dave", "user")
    body = {"from_role": "clerk", "to_role": "senior"}
    moved = await chief.client.post(f"{ROLES}/migrate", json=body)
    assert moved.json()["data"] == {"users": 1}
    assert (await chief.client.post(f"{ROLES}/migrate", json=body)).json()["data"] == {"users": 0}
    assert (await carol.client.get("/auth/sessions")).status_code == 401
    assert (await dave.client.get("/auth/sessions")).status_code == 200
    for change, field in (({"from_role": "nobody"}, "from_role"), ({"to_role": "clerk"}, "to_role")):
        assert refusal(await chief.client.post(f"{ROLES}/migrate", json=body | change)) == (42200, [field])


async def test_a_role_that_is_made_again_has_no_users(
    chief: Person, make_role: Make, employ: Employ, client: httpx.AsyncClient
) -> None:
    await make_role("clerk")
    carol = await employ("carol", "clerk")
    await make_role("other")
    await chief.client.delete(f"{ROLES}/clerk?migrate_to=other")
    await make_role("clerk", "user:list")
    assert (await chief.client.get(f"{USERS}/{carol.id}")).json()["data"]["roles"] == ["other"]


async def test_users_get_only_roles_that_exist_and_are_enabled(
    chief: Person, make_role: Make, employ: Employ
) -> None:
    await make_role("clerk")
    carol = await employ("carol", "clerk")
    await chief.client.post(f"{ROLES}/clerk/disable")
    path = f"{USERS}/{carol.id}"
    # What he holds already may stay.
    for roles, expected in ((["clerk", "user"], 204), (["user"], 204), (["clerk"], 422), (["nobody"], 422)):
        response = await chief.client.patch(path, json={"roles": roles})
        assert response.status_code == expected, roles
        if expected == 422:
            assert refusal(response) == (42200, ["roles"])

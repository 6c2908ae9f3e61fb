"""Nobody gives what he does not hold, in whichever way."""

from tests.conftest import PASSWORD
from tests.modules.access.conftest import ROLES, USERS, Employ, Make, granted, refusal
from tests.modules.account.conftest import Person

MANAGER = (
    "role:create",
    "role:delete",
    "role:grant",
    "role:list",
    "role:migrate",
    "role:read",
    "role:update",
    "user:create",
    "user:list",
    "user:replace",
    "user:reset-password",
    "user:update",
)
NEW = {"title_en": "x", "title_zh": "x"}


async def test_who_manages_roles_cannot_give_himself_or_others_more(
    chief: Person, make_role: Make, employ: Employ
) -> None:
    await make_role("manager", *MANAGER)
    await make_role("powerful", "user:delete")
    await make_role("chain", includes=("powerful",))
    await make_role("idle", "user:delete")
    await make_role("empty")
    await chief.client.post(f"{ROLES}/idle/disable")
    mallory, victim = await employ("mallory", "manager"), await employ("victim", "empty")
    account = {"username": "eve", "email": "eve@example.com", "password": PASSWORD}
    before = [await granted(chief, role) for role in ("manager", "powerful", "chain", "idle", "empty")]
    for method, path, body in (
        ("PUT", f"{ROLES}/manager/permissions", {"permissions": [*MANAGER, "user:delete"]}),
        ("POST", f"{ROLES}/empty/permissions", {"permissions": ["user:delete"]}),
        ("PUT", f"{ROLES}/manager/includes", {"includes": ["powerful"]}),
        ("PUT", f"{ROLES}/manager/includes", {"includes": ["chain"]}),
        ("PUT", f"{ROLES}/manager/includes", {"includes": ["admin"]}),
        # It grants nothing now, but will when somebody enables it.
        ("PUT", f"{ROLES}/manager/includes", {"includes": ["idle"]}),
        ("POST", f"{ROLES}/idle/enable", None),
        ("POST", f"{ROLES}/powerful/clone", {"code": "mine", **NEW}),
        ("POST", f"{ROLES}/chain/clone", {"code": "mine", **NEW}),
        ("POST", f"{ROLES}/migrate", {"from_role": "manager", "to_role": "powerful"}),
        ("POST", f"{ROLES}/migrate", {"from_role": "manager", "to_role": "admin"}),
        ("DELETE", f"{ROLES}/empty?migrate_to=chain", None),
        ("PATCH", f"{USERS}/{mallory.id}", {"roles": ["manager", "powerful"]}),
        ("PATCH", f"{USERS}/{mallory.id}", {"roles": ["chain"]}),
        ("POST", USERS, {**account, "roles": ["powerful"]}),
    ):
        response = await mallory.client.request(method, path, json=body)
        assert (response.status_code, refusal(response)[0]) == (403, 40301), (method, path)
        assert "*" in response.json()["message"] or "user:delete" in response.json()["message"]
    assert [
        await granted(chief, role) for role in ("manager", "powerful", "chain", "idle", "empty")
    ] == before
    boss = await employ("boss", "powerful")
    reset = await mallory.client.post(f"{USERS}/{boss.id}/reset-password", json={"password": "mine, mine"})
    assert (reset.status_code, refusal(reset)[0]) == (403, 40301)
    # What he holds himself he may give, and he may take away what he does not hold.
    for method, path, body in (
        ("POST", f"{ROLES}/empty/permissions", {"permissions": ["user:list"]}),
        ("PUT", f"{ROLES}/manager/includes", {"includes": ["empty"]}),
        ("PATCH", f"{USERS}/{victim.id}", {"roles": ["empty", "manager"]}),
        ("DELETE", f"{ROLES}/powerful/permissions", {"permissions": ["user:delete"]}),
    ):
        assert (await mallory.client.request(method, path, json=body)).status_code == 204, (method, path)


async def test_a_role_that_includes_admin_is_an_administrators_role(
    chief: Person, make_role: Make, employ: Employ
) -> None:
    await make_role("manager", *MANAGER)
    await make_role("deputy", includes=("admin",))
    deputy, mallory = await employ("deputy", "deputy"), await employ("mallory", "manager")
    assert (await deputy.client.delete(f"{USERS}/{mallory.id}")).status_code == 204
    mallory = await employ("mallory", "manager")
    for method, path, body in (
        ("PATCH", f"{USERS}/{mallory.id}", {"roles": ["deputy"]}),
        ("PATCH", f"{USERS}/{deputy.id}", {"email": "mallory@example.com"}),
        ("POST", f"{USERS}/{deputy.id}/reset-password", {"password": "mine, mine"}),
    ):
        response = await mallory.client.request(method, path, json=body)
        assert (response.status_code, refusal(response)[0]) == (403, 40310), (method, path)


async def test_who_holds_less_than_a_role_cannot_lift_its_second_factor(
    chief: Person, make_role: Make, employ: Employ
) -> None:
    await make_role("manager", *MANAGER)
    await make_role("powerful", "user:delete")
    mallory = await employ("mallory", "manager")
    required, lifted = {"second_factor_required": True}, {"second_factor_required": False}
    # Whoever may edit roles may ask for more, and for what is so already.
    assert (await mallory.client.patch(f"{ROLES}/powerful", json=lifted)).status_code == 204
    assert (await mallory.client.patch(f"{ROLES}/powerful", json=required)).status_code == 204
    refused = await mallory.client.patch(f"{ROLES}/powerful", json=lifted)
    assert (refused.status_code, refusal(refused)[0]) == (403, 40301)
    assert (await chief.client.get(f"{ROLES}/powerful")).json()["data"]["second_factor_required"] is True
    assert (await chief.client.patch(f"{ROLES}/powerful", json=lifted)).status_code == 204

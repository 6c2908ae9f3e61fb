"""Rows under a data scope: a clerk whose role lists one department reaches its rows, and no others by any route."""

import pytest

from tests.modules.organization.deal import Deal
from tests.security.calls import Routes
from tests.security.makers import add
from tests.security.world import Call, World

pytestmark = pytest.mark.anyio

DEALS = "/api/v1/deals"


async def test_a_clerk_reaches_the_rows_of_the_listed_departments_only(world: World, routes: Routes) -> None:
    inside = world.ids[f"{DEALS}/{{deal_id}}"]
    elsewhere = world.ids["/api/v1/departments/{department_id}"]
    owner = world.people["owner"].id
    outside = await add(world, Deal(owner_id=owner, department_id=elsewhere, amount=3))
    world.keep()
    seen = {}
    for who in ("other", "owner", "clerk", "admin"):
        listed = (await world.send(Call("GET", DEALS, {}, {}), who)).json()["data"]
        assert listed["total"] == len(listed["items"])
        seen[who] = {deal["id"] for deal in listed["items"]}
    both = {inside, outside}
    assert seen == {"other": set(), "owner": both, "clerk": {inside}, "admin": both}
    for method in ("GET", "PATCH", "DELETE"):
        refused = await world.send(Call(method, f"{DEALS}/{outside}", {}, {}), "clerk")
        assert (refused.status_code, refused.json()["code"]) == (404, 40400), method
    # Statements about all rows are about those that the clerk reaches.
    for method, path, amounts in (("POST", f"{DEALS}/double", {2, 3}), ("DELETE", DEALS, {3})):
        assert (await world.send(Call(method, path, {}, {}), "clerk")).status_code == 204
        rows = world.rows()[Deal.__tablename__].values()
        assert {row["amount"] for row in rows} == amounts
    body = {"department_id": elsewhere, "amount": 1}
    refused = await world.send(Call("POST", DEALS, {}, {}, body, has_body=True), "clerk")
    assert refused.status_code == 403
